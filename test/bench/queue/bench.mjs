// Measure the queues and print tables in Markdown; see queue.sh.

import os from 'node:os';
import { ask, connect, cpu, cpuOf, median, now, quantile, sleep } from './common.mjs';
import * as all from './subjects.mjs';

const tasks = +process.env.TASKS;
const reps = +process.env.REPS;
const only = (process.env.ONLY || 'sync graphile pgboss loop pgq').split(' ');
const what = (process.env.WHAT || 'drain single latency enqueue pinned idle purge').split(' ');
const say = (text) => console.error(`    ${text}`);
const table = (title, head, rows) => {
	console.log(`\n${title}\n\n| ${head.join(' | ')} |\n|${'---|'.repeat(head.length)}`);
	for (const row of rows) console.log(`| ${row.join(' | ')} |`);
};
const whole = (x) => Math.round(x).toLocaleString('en');

const subjects = [];
for (const name of only) {
	const subject = all[name];

	if (subject.available && !(await subject.available())) say(`${name} is not installed`);
	else subjects.push(subject);
}

// Put tasks in and drain them; gives tasks a second and microseconds of CPU a task.
async function drain(subject, n, ...how) {
	await subject.hold();
	await subject.enqueueMany(n);
	await subject.client.query('CHECKPOINT');
	await sleep(500);
	const [cpuBefore, before] = [cpu(), now()];

	await subject.drain(...how);
	const seconds = (now() - before) / 1e6;

	await sleep(200); // a process that ends is counted once the postmaster knows
	const result = { rate: n / seconds, cpu: (cpu() - cpuBefore) / n * 1e6 };

	say(`${subject.database}: ${whole(result.rate)} a second, ${result.cpu.toFixed(1)} us`);
	return result;
}

async function repeat(times, work) {
	const results = [];

	for (let i = 0; i < times; i++) results.push(await work());
	return results;
}

// The cells of drains in a table.
const summary = (samples) => [whole(median(samples.map((s) => s.rate))), median(samples.map((s) => s.cpu)).toFixed(1)];

async function drains() {
	const rows = [];

	for (const subject of subjects) {
		const samples = await repeat(reps, () => drain(subject, tasks));

		rows.push([subject.title, ...summary(samples)]);
	}
	table(`Drain of ${whole(tasks)} tasks that do nothing, medians of ${reps}`, ['', 'tasks/s', 'CPU us/task, server and client'], rows);
}

// One task a transaction, one process.
async function singles() {
	const n = Math.min(tasks, 5000);
	const rows = [];
	const { sync, loop } = all;

	if (subjects.includes(sync)) {
		await sync.client.query(`ALTER SYSTEM SET sync_ext.batch_size = 1`);
		await sync.client.query(`ALTER SYSTEM SET sync_ext.workers = 1`);
		await sync.client.query('SELECT pg_reload_conf()');
		while (await ask(sync.client, 'SELECT count(*) <> 1 FROM sync_stat_workers')) await sleep(20);
		rows.push(['sync_ext, 1 worker, with history', ...summary(await repeat(reps, () => drain(sync, n)))]);
		await sync.client.query(`ALTER SYSTEM RESET sync_ext.batch_size`);
		await sync.client.query(`ALTER SYSTEM RESET sync_ext.workers`);
		await sync.client.query(`ALTER SYSTEM SET sync_ext.workers = 2`);
		await sync.client.query('SELECT pg_reload_conf()');
		while (await ask(sync.client, 'SELECT count(*) <> 2 FROM sync_stat_workers')) await sleep(20);
	}
	if (subjects.includes(loop)) {
		rows.push(['loop in PL/pgSQL, 1 session, no history', ...summary(await repeat(reps, () => drain(loop, n, 1, 1)))]);
	}
	table(`One task a transaction, ${whole(n)} tasks, medians of ${reps}`, ['', 'tasks/s', 'CPU us/task, server and client'], rows);
}

// From the commit of the enqueue to the start of the handler, the queue being idle.
async function latencies() {
	const n = 500;
	const rows = [];
	const { sync, graphile } = all;

	if (subjects.includes(sync)) {
		const waits = [];

		for (let i = 0; i < n; i++) {
			await sleep(10 + Math.random() * 20);
			const results = await sync.client.query(`BEGIN; SELECT sync_enqueue('noop') AS id; COMMIT;
				SELECT extract(epoch FROM clock_timestamp()) * 1e6 AS at`);

			waits.push(await sync.startedAt(results[1].rows[0].id) - +results[3].rows[0].at);
		}
		rows.push([sync.title, waits]);
	}
	if (subjects.includes(graphile)) {
		const workers = graphile.workers();
		const waits = [];

		await workers.ready();
		await sleep(1000);
		for (let id = 1; id <= n; id++) {
			await sleep(10 + Math.random() * 20);
			await graphile.enqueueOne(graphile.client, id);
			const committed = now();

			while (!workers.started.has(id)) await sleep(1);
			waits.push(workers.started.get(id) - committed);
		}
		await workers.stop();
		rows.push(['graphile-worker 0.18', waits]);
	}
	table(`From commit to start, ${n} tasks one by one, ms`, ['', 'median', 'p95', 'p99'],
		rows.map(([title, waits]) => [title, ...[0.5, 0.95, 0.99].map((q) => (quantile(waits, q) / 1000).toFixed(2))]));
}

async function enqueues() {
	const rows = [];

	for (const subject of subjects) {
		const many = [];
		const one = [];

		await subject.hold();
		for (let rep = 0; rep < reps; rep++) {
			let before = now();

			await subject.enqueueMany(tasks);
			many.push(tasks / (now() - before) * 1e6);
			const clients = await Promise.all([connect(subject.database), connect(subject.database)]);
			let sent = 0;

			before = now();
			await Promise.all(clients.map(async (client) => {
				while (now() - before < 3e6) {
					await subject.enqueueOne(client, ++sent);
				}
			}));
			one.push(sent / (now() - before) * 1e6);
			if (subject.pending !== undefined) subject.pending += sent;
			await Promise.all(clients.map((client) => client.end()));
			await subject.drain();
			await subject.hold();
		}
		rows.push([subject.title, whole(median(many)), whole(median(one))]);
		say(`${subject.database}: ${rows.at(-1).slice(1).join(', ')}`);
		if (subject === all.sync) await subject.drain();
	}
	table('Enqueue', ['', `${whole(tasks)} at once, tasks/s`, 'one a transaction, 2 clients, tasks/s'], rows);
}

// Rounds while a transaction keeps VACUUM from removing what is done; of sync_ext,
// until a million tasks are, or ten times TASKS.
async function pinned() {
	const n = Math.ceil(tasks / 2);
	const rows = [];

	for (const subject of subjects) {
		const rounds = subject === all.sync ? 20 : 4;
		const holder = await connect(subject.database);

		await holder.query('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM pg_class');
		const rates = (await repeat(rounds, () => drain(subject, n))).map((s) => s.rate);

		await holder.query('ROLLBACK');
		await holder.end();
		rows.push([subject.title, ...rates.slice(0, 4).map(whole), rounds > 4 ? whole(median(rates.slice(-4))) : '',
			`${Math.round(median(rates.slice(-4)) / median(rates.slice(0, 4)) * 100)} %`]);
	}
	table(`Rounds of ${whole(n)} tasks under a transaction that holds the xmin horizon, tasks/s`,
		['', '1', '2', '3', '4', '17 to 20', 'median of the last four rounds against the first four'], rows);
}

async function idle() {
	const { sync } = all;

	if (!subjects.includes(sync)) return;
	// nobody else may use transaction ids: not pg-boss, which looks after its tables, nor autovacuum
	for (const subject of subjects) await subject.finish?.();
	await sync.client.query('ALTER SYSTEM SET autovacuum = off');
	await sync.client.query('SELECT pg_reload_conf()');
	await sleep(2000);
	const { rows } = await sync.client.query(`SELECT pid FROM pg_stat_activity WHERE backend_type LIKE 'sync %'`);
	const used = () => rows.reduce((sum, { pid }) => sum + cpuOf(pid), 0);
	const xid = () => ask(sync.client, 'SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint');
	const [cpuBefore, xidBefore] = [used(), await xid()];

	await sleep(10000);
	console.log(`\nIdle for 10 s: ${Math.round((used() - cpuBefore) * 1000)} ms of CPU in ${rows.length} processes, `
		+ `${await xid() - xidBefore} transaction ids.`);
	await sync.client.query('ALTER SYSTEM RESET autovacuum');
	await sync.client.query('SELECT pg_reload_conf()');
}

// Forget history: ten million rows that lie by themselves, and as many in one slot with new ones.
async function purge() {
	const n = tasks * 100;
	const rows = [];
	const { sync } = all;

	if (!subjects.includes(sync)) return;
	const fill = (count, age) => sync.client.query(`INSERT INTO sync_history (operation, environment, run_by, status, outcome,
			started_at, duration, queue_id, attempt, timing_partner_id)
		SELECT 'noop', 'production', 'postgres', 'success', 'success', now() - $2::interval + n * interval '1 ms', '1 ms', n, 1, n % 1000
		FROM generate_series(1, $1::int) AS n`, [count, age]);

	for (const [title, newer] of [[`${whole(n)} old rows`, 0], [`${whole(n)} old rows, ${whole(n / 100)} new ones in the same slot`, n / 100]]) {
		await sync.client.query('TRUNCATE sync_history');
		await fill(n, '200 days');
		if (newer) await fill(newer, '1 day');
		await sync.client.query('CHECKPOINT');
		const before = now();
		const purged = await ask(sync.client, 'SELECT sync_purge_history()');

		rows.push([title, ((now() - before) / 1e6).toFixed(2), whole(+purged),
			await ask(sync.client, `SELECT pg_size_pretty(sum(pg_total_relation_size(inhrelid)))
				FROM pg_inherits WHERE inhparent = 'sync_history'::regclass`)]);
	}
	table('sync_purge_history()', ['', 's', 'rows forgotten', 'history then takes'], rows);
}

// What the figures below were measured on.
async function conditions() {
	const client = await connect('postgres');
	const commits = [];

	await client.query('CREATE TABLE IF NOT EXISTS probe (n int)');
	for (let i = 0; i < 200; i++) {
		const before = now();

		await client.query('INSERT INTO probe VALUES (1)');
		commits.push((now() - before) / 1000);
	}
	const version = await ask(client, 'SHOW server_version');

	await client.end();
	console.log(`PostgreSQL ${version}; ${os.cpus().length} cores of ${os.cpus()[0].model}, load ${os.loadavg()[0].toFixed(1)}; `
		+ `a commit of one row takes ${median(commits).toFixed(2)} ms.`);
}

for (const subject of subjects) await subject.prepare();
await conditions();
const measures = { drain: drains, single: singles, latency: latencies, enqueue: enqueues, pinned, idle, purge };
for (const name of what) {
	say(name);
	await measures[name]();
}
process.exit(0);
