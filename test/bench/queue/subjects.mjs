// Those who are measured.  Each can put tasks in that do nothing, many in a statement
// and one by one, drain them, say how many are left, and most can say when one
// was begun.

import { fork } from 'node:child_process';
import { ask, connect, createDatabase, sleep } from './common.mjs';

// Wait until nothing is left.
async function empty(subject) {
	while (+(await subject.left()) > 0) await sleep(20);
}

// Workers of a rival, in processes of their own.
class Workers {
	constructor(name, processes) {
		this.children = Array.from({ length: processes }, () => fork('./worker.mjs', [name]));
		this.started = new Map();
		for (const child of this.children) {
			child.on('message', (message) => {
				if (message.ready) child.ready = true;
				else this.started.set(message.id, message.at);
			});
		}
	}

	async ready() {
		while (!this.children.every((child) => child.ready)) await sleep(5);
	}

	stop() {
		return Promise.all(this.children.map((child) => new Promise((done) => {
			child.on('exit', done);
			child.send('stop');
		})));
	}
}

export const sync = {
	title: 'sync_ext, 2 workers',
	database: 'bench_sync',
	async prepare() {
		await createDatabase(this.database);
		this.client = await connect(this.database);
		await this.client.query(`CREATE EXTENSION sync_ext;
			CREATE FUNCTION noop(payload jsonb) RETURNS void LANGUAGE plpgsql AS 'BEGIN END';
			INSERT INTO sync_operation_types (operation_type, handler) VALUES ('noop', 'noop(jsonb)')`);
		while (await ask(this.client, 'SELECT count(*) < 2 FROM sync_stat_workers WHERE datname = current_database()')) await sleep(50);
	},
	pending: 0,
	enqueueMany(n) {
		this.pending += n;
		return this.client.query(`INSERT INTO sync_queue (operation_type, payload)
			SELECT 'noop', jsonb_build_object('id', id) FROM generate_series(1, $1::int) AS id`, [n]);
	},
	enqueueOne: (client, id) => client.query(`SELECT sync_enqueue('noop', jsonb_build_object('id', $1::int))`, [id]),
	hold() { return this.client.query('SELECT sync_pause()'); },
	async drain() {
		const before = await this.performed();

		await this.client.query('SELECT sync_resume()');
		while (await this.performed() < before + this.pending) await sleep(10);
		this.pending = 0;
	},
	// a look at the table would walk over all that was removed from it
	async performed() { return +(await ask(this.client, 'SELECT coalesce(sum(performed), 0) FROM sync_stat_workers')); },
	async startedAt(id) {
		for (;;) {
			const at = await ask(this.client, `SELECT extract(epoch FROM started_at) * 1e6 FROM sync_history
				WHERE queue_id = $1`, [id]);

			if (at) return +at;
			await sleep(1);
		}
	},
};

export const loop = {
	title: 'loop in PL/pgSQL, 100 a transaction, 2 sessions, no history',
	database: 'bench_loop',
	async prepare() {
		await createDatabase(this.database);
		this.client = await connect(this.database);
		await this.client.query(`
			CREATE TABLE task (id bigserial PRIMARY KEY, priority int DEFAULT 5, due timestamptz DEFAULT now(),
				handler text DEFAULT 'noop', payload jsonb);
			CREATE INDEX ON task (priority, due, id);
			CREATE FUNCTION noop(payload jsonb) RETURNS void LANGUAGE plpgsql AS 'BEGIN END';
			CREATE PROCEDURE drain(size int) LANGUAGE plpgsql AS $$
			DECLARE
				taken record;
				n int;
			BEGIN
				LOOP
					n := 0;
					FOR taken IN DELETE FROM task WHERE id = ANY (ARRAY(SELECT id FROM task WHERE due <= now()
						ORDER BY priority, due, id LIMIT size FOR UPDATE SKIP LOCKED)) RETURNING handler, payload
					LOOP
						EXECUTE format('SELECT %I($1)', taken.handler) USING taken.payload;
						n := n + 1;
					END LOOP;
					COMMIT;
					EXIT WHEN n = 0;
				END LOOP;
			END $$`);
	},
	enqueueMany(n) {
		return this.client.query(`INSERT INTO task (payload)
			SELECT jsonb_build_object('id', id) FROM generate_series(1, $1::int) AS id`, [n]);
	},
	enqueueOne: (client, id) => client.query(`INSERT INTO task (payload) VALUES (jsonb_build_object('id', $1::int))`, [id]),
	hold() {},
	async drain(size = 100, sessions = 2) {
		await Promise.all(Array.from({ length: sessions }, async () => {
			const client = await connect(this.database);

			await client.query(`CALL drain(${size})`);
			await client.end();
		}));
	},
	left() { return ask(this.client, 'SELECT count(*) FROM (SELECT FROM task LIMIT 1) AS q'); },
};

export const graphile = {
	title: 'graphile-worker 0.18, batched, 4 processes',
	database: 'bench_graphile',
	async prepare() {
		await createDatabase(this.database);
		const { runMigrations } = await import('graphile-worker');

		await runMigrations({ connectionString: `postgres:///${this.database}?host=${process.env.PGHOST}` });
		this.client = await connect(this.database);
	},
	async enqueueMany(n) {
		await this.client.query(`SELECT count(*) FROM graphile_worker.add_jobs(ARRAY(
			SELECT json_populate_record(NULL::graphile_worker.job_spec,
				json_build_object('identifier', 'noop', 'payload', json_build_object('id', id)))
			FROM generate_series(1, $1::int) AS id))`, [n]);
	},
	enqueueOne: (client, id) => client.query(`SELECT graphile_worker.add_job('noop', json_build_object('id', $1::int))`, [id]),
	hold() {},
	async drain() {
		const workers = new Workers('graphile', 4);

		await workers.ready();
		await empty(this);
		await workers.stop();
	},
	left() { return ask(this.client, 'SELECT count(*) FROM (SELECT FROM graphile_worker._private_jobs LIMIT 1) AS q'); },
	workers: () => new Workers('graphile-plain', 1),
};

export const pgboss = {
	title: 'pg-boss 12.35, batches of 100, 8 at once',
	database: 'bench_pgboss',
	async prepare() {
		await createDatabase(this.database);
		const { PgBoss } = await import('pg-boss');

		this.boss = new PgBoss({ database: this.database, host: process.env.PGHOST, user: 'postgres', schedule: false });
		this.boss.on('error', () => {});
		await this.boss.start();
		await this.boss.createQueue('noop');
		this.client = await connect(this.database);
	},
	async enqueueMany(n) {
		for (let first = 1; first <= n; first += 10000) {
			await this.boss.insert('noop', Array.from({ length: Math.min(10000, n - first + 1) }, (_, i) => ({ data: { id: first + i } })));
		}
	},
	enqueueOne(client, id) { return this.boss.send('noop', { id }); },
	hold() {},
	async drain() {
		const workers = new Workers('pgboss', 1);

		await workers.ready();
		await empty(this);
		await workers.stop();
	},
	left() {
		return ask(this.client, `SELECT count(*) FROM (SELECT FROM pgboss.job
			WHERE name = 'noop' AND state < 'completed' LIMIT 1) AS q`);
	},
	finish() { return this.boss.stop({ graceful: false }); },
};

export const pgq = {
	title: 'PgQ (a log, no state of a task), 1 consumer',
	database: 'bench_pgq',
	async available() {
		const client = await connect('postgres');
		const there = await ask(client, `SELECT count(*) FROM pg_available_extensions WHERE name = 'pgq'`);

		await client.end();
		return +there > 0;
	},
	async prepare() {
		await createDatabase(this.database);
		this.client = await connect(this.database);
		await this.client.query(`CREATE EXTENSION pgq; SELECT pgq.create_queue('noop'); SELECT pgq.register_consumer('noop', 'one');
			SELECT pgq.set_queue_config('noop', 'ticker_max_count', '1000'); SELECT pgq.ticker()`);
	},
	enqueueMany(n) {
		this.pending = n;
		return this.client.query(`SELECT count(pgq.insert_event('noop', 'noop', id::text)) FROM generate_series(1, $1::int) AS id`, [n]);
	},
	enqueueOne: (client, id) => client.query(`SELECT pgq.insert_event('noop', 'noop', $1::text)`, [id]),
	hold() {},
	async drain() {
		await this.client.query(`SELECT pgq.force_tick('noop'); SELECT pgq.ticker()`);
		while (this.pending > 0) {
			const batch = await ask(this.client, `SELECT pgq.next_batch('noop', 'one')`);

			if (batch === null) {
				await this.client.query(`SELECT pgq.force_tick('noop'); SELECT pgq.ticker()`);
				continue;
			}
			this.pending -= (await this.client.query('SELECT * FROM pgq.get_batch_events($1)', [batch])).rows.length;
			await this.client.query('SELECT pgq.finish_batch($1)', [batch]);
		}
	},
	left: () => 0,
};
