// What the bench and those who are measured share: connections, clocks, CPU time.

import fs from 'node:fs';
import pg from 'pg';

export const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

// Microseconds on the clock that the server uses, too.
export const now = () => (performance.timeOrigin + performance.now()) * 1000;

export async function connect(database) {
	const client = new pg.Client({ database });

	client.on('error', () => {});
	await client.connect();
	return client;
}

// A database of that name, empty.
export async function createDatabase(name) {
	const admin = await connect('postgres');

	await admin.query(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
	await admin.query(`CREATE DATABASE ${name}`);
	await admin.end();
}

// The first cell of a result.
export async function ask(client, sql, values) {
	const { rows } = await client.query(sql, values);
	return rows.length ? Object.values(rows[0])[0] : undefined;
}

// CPU seconds of a process and all below it, those included that have ended.
export function cpuOf(root) {
	const processes = new Map();

	for (const pid of fs.readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
		try {
			const stat = fs.readFileSync(`/proc/${pid}/stat`, 'utf8');
			const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');

			processes.set(+pid, { parent: +fields[1], ticks: fields.slice(11, 15).reduce((sum, n) => sum + +n, 0) });
		} catch {
			// it has just ended
		}
	}
	const sum = (pid) => [...processes].filter(([, p]) => p.parent === pid)
		.reduce((total, [child]) => total + sum(child), processes.get(pid)?.ticks ?? 0);

	return sum(root) / 100;
}

export const postmaster = () => +fs.readFileSync(`${process.env.PGDATA}/postmaster.pid`, 'utf8').split('\n')[0];

// CPU seconds of the server and of this client.
export const cpu = () => cpuOf(postmaster()) + cpuOf(process.pid);

export function quantile(values, q) {
	const sorted = [...values].sort((a, b) => a - b);
	return sorted[Math.min(sorted.length - 1, Math.max(0, Math.ceil(q * sorted.length) - 1))];
}

export const median = (values) => quantile(values, 0.5);
