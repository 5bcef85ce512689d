/*
 * ref.c: what libcurl alone does: so many GETs, so many of them at once, over
 * connections that are used again.  Prints seconds and seconds of CPU.
 *
 *   ref URL REQUESTS AT_ONCE
 */
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <time.h>

/* Take a piece of a body. */
static size_t
take(char *data, size_t size, size_t count, void *total)
{
	*(size_t *) total += size * count;
	return size * count;
}

/* Seconds on a clock. */
static double
seconds(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return now.tv_sec + now.tv_nsec / 1e9;
}

int
main(int argc, char **argv)
{
	long requests = argc == 4 ? atol(argv[2]) : 0;
	long at_once = argc == 4 ? atol(argv[3]) : 0;
	long started = 0;
	long ended = 0;
	long failed = 0;
	size_t bytes = 0;
	int running;
	double start;
	CURLM *multi;

	if (requests <= 0 || at_once <= 0)
		return 2;
	curl_global_init(CURL_GLOBAL_DEFAULT);
	multi = curl_multi_init();
	start = seconds(CLOCK_MONOTONIC);
	while (ended < requests)
	{
		CURLMsg *message;
		int left;

		while (started < requests && started - ended < at_once)
		{
			CURL *easy = curl_easy_init();

			curl_easy_setopt(easy, CURLOPT_URL, argv[1]);
			curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take);
			curl_easy_setopt(easy, CURLOPT_WRITEDATA, &bytes);
			curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
			curl_multi_add_handle(multi, easy);
			started++;
		}
		curl_multi_perform(multi, &running);
		while ((message = curl_multi_info_read(multi, &left)) != NULL)
		{
			long status = 0;

			curl_easy_getinfo(message->easy_handle,
							  CURLINFO_RESPONSE_CODE,
							  &status);
			if (message->data.result != CURLE_OK || status != 200)
				failed++;
			ended++;
			curl_multi_remove_handle(multi, message->easy_handle);
			curl_easy_cleanup(message->easy_handle);
		}
		if (started - ended == at_once || started == requests)
			curl_multi_poll(multi, NULL, 0, 1000, NULL);
	}
	printf("%.3f %.3f %ld\n",
		   seconds(CLOCK_MONOTONIC) - start,
		   seconds(CLOCK_PROCESS_CPUTIME_ID),
		   failed);
	return 0;
}
