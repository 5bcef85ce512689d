// A process in which a rival's handlers run.  It says when it is ready and, where that
// is asked for, when a task was begun; it ends when it is told to.

import { now } from './common.mjs';

const host = process.env.PGHOST;
const tell = (message) => process.send(message);
let stop;

async function graphile(preset, handler) {
	const { Logger, run } = await import('graphile-worker');
	const runner = await run({
		connectionString: `postgres:///bench_graphile?host=${host}`,
		noHandleSignals: true,
		logger: new Logger(() => () => {}),
		taskList: { noop: handler },
		preset: { worker: { concurrentJobs: 24, maxPoolSize: 25, ...preset } },
	});

	stop = () => runner.stop();
}

async function pgboss() {
	const { PgBoss } = await import('pg-boss');
	const boss = new PgBoss({ database: 'bench_pgboss', host, user: 'postgres', max: 10, schedule: false });

	boss.on('error', () => {});
	await boss.start();
	await boss.work('noop', { batchSize: 100, localConcurrency: 8, burstWhenBatchFull: true, pollingIntervalSeconds: 0.5 },
		async () => {});
	stop = () => boss.stop({ graceful: false });
}

const ways = {
	// its own bench uses these
	graphile: () => graphile({ localQueue: { size: 500, refetchDelay: { durationMs: 10 } },
		completeJobBatchDelay: 0, failJobBatchDelay: 0 }, async () => {}),
	'graphile-plain': () => graphile({}, async ({ id }) => tell({ id, at: now() })),
	pgboss,
};

process.on('message', async () => {
	await stop();
	process.exit(0);
});
await ways[process.argv[2]]();
tell({ ready: true });
