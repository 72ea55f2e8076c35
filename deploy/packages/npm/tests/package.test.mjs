// The installed packages: what is in them, how a lab begins and ends, and what is said when it can't.
import assert from 'node:assert/strict';
import { spawn, execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import { createRequire } from 'node:module';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { BinaryMissing, Lab, LabEnded, LabNotStarted, NeverActed, VERSION, WaitTimeout, binary, platformPackage } from '@ottla/lab';

const require = createRequire(import.meta.url);

async function isGone(pid, patience = 10_000) {
  const until = Date.now() + patience;
  do {
    try {
      const state = fs.readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)[0];
      if (state === 'Z') return true;
    } catch {
      return true;
    }
    await new Promise((resolve) => setTimeout(resolve, 10));
  } while (Date.now() < until);
  return false;
}

function script(text) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'ottla-'));
  const file = path.join(folder, 'program');
  fs.writeFileSync(file, `#!/bin/sh\necho $$ > ${folder}/pid; ${text}\n`, { mode: 0o755 });
  return { file, pid: () => Number(fs.readFileSync(`${folder}/pid`, 'utf8')), remove: () => fs.rmSync(folder, { recursive: true }) };
}

test('the binary is the one that was packed, and nothing runs at install', () => {
  const manifest = require(`${platformPackage()}/package.json`);
  assert.equal(createHash('sha256').update(fs.readFileSync(binary())).digest('hex'), manifest.ottla.sha256);
  assert.equal(manifest.version, VERSION);
  for (const one of [manifest, require('@ottla/lab/package.json')]) assert.equal(one.scripts, undefined);
  const folder = path.dirname(require.resolve(`${platformPackage()}/package.json`));
  const bill = JSON.parse(fs.readFileSync(path.join(folder, 'sbom.cdx.json'), 'utf8'));
  assert.equal(bill.metadata.component.hashes[0].content, manifest.ottla.sha256);
  assert.match(fs.readFileSync(path.join(folder, 'LICENSE'), 'utf8'), /Apache License/);
  const said = execFileSync('node_modules/.bin/ottla', ['--version'], { encoding: 'utf8' });
  assert.equal(said.trim(), `ottla ${VERSION}`);
});

test('a lab ends when it is closed, and says so afterwards', async () => {
  const lab = await Lab.start({ seed: 7, topics: ['orders:3'] });
  assert.equal(lab.seed, 7);
  await lab.produce('orders', { value: Buffer.from([255]), partition: 2 });
  const [record] = await lab.records('orders', { count: 1 });
  assert.deepEqual([record.partition, record.key, record.value], [2, null, Buffer.from([255])]);
  await lab.close();
  assert.ok(await isGone(lab.pid, 100));
  await assert.rejects(lab.records('orders'), LabEnded);
});

test('after a reset a cluster is as it was made', async () => {
  const lab = await Lab.start({ topics: ['orders'] });
  await lab.createTopic('more');
  await lab.produce('orders', { value: 'a' });
  await lab.fault({ api: 'Fetch', error: 'REQUEST_TIMED_OUT' });
  await lab.reset();
  assert.deepEqual([await lab.records('orders'), await lab.faults()], [[], []]);
  await assert.rejects(lab.records('more'));
  await lab.close();
});

for (const how of ['SIGKILL', 'SIGTERM', 'end']) {
  test(`a lab ends with the process that started it (${how})`, async () => {
    const program = "require('@ottla/lab').Lab.start().then(lab => { console.log(lab.pid); process.stdin.on('end', () => process.exit()).resume(); })";
    const child = spawn(process.execPath, ['-e', program], { stdio: ['pipe', 'pipe', 'inherit'] });
    const pid = Number(await new Promise((resolve) => child.stdout.once('data', resolve)));
    assert.equal(await isGone(pid, 50), false);
    if (how === 'end') child.stdin.end();
    else child.kill(how);
    assert.ok(await isGone(pid));
  });
}

test('a run that forgets its lab ends all the same', () => {
  const program = "require('@ottla/lab').Lab.start().then(lab => console.log(lab.pid))";
  const pid = Number(execFileSync(process.execPath, ['-e', program], { encoding: 'utf8', timeout: 20_000 }));
  return isGone(pid).then(assert.ok);
});

test('a lab ends when its time is over', async () => {
  const lab = await Lab.start({ ttl: '100ms' });
  assert.ok(await isGone(lab.pid));
  await assert.rejects(lab.clusters(), /has ended with 0/);
});

test('a binary that is missing is said with the package that brings it', async () => {
  process.env.OTTLA_BINARY = '/nowhere/ottla';
  await assert.rejects(Lab.start(), BinaryMissing);
  delete process.env.OTTLA_BINARY;
  const folder = path.dirname(require.resolve(`${platformPackage()}/package.json`));
  fs.renameSync(folder, `${folder}.away`);
  const told = () => execFileSync(process.execPath, ['-e', "require('@ottla/lab').binary()"], { stdio: 'pipe' });
  try {
    assert.throws(told, (error) => error.stderr.includes(`the package ${platformPackage()} is missing`));
  } finally {
    fs.renameSync(`${folder}.away`, folder);
  }
});

test('a platform package of another version is refused', () => {
  const file = require.resolve(`${platformPackage()}/package.json`);
  const text = fs.readFileSync(file, 'utf8');
  fs.writeFileSync(file, text.replace(VERSION, '9.9.9'));
  const told = () => execFileSync(process.execPath, ['-e', "require('@ottla/lab').binary()"], { stdio: 'pipe' });
  try {
    assert.throws(told, (error) => error.stderr.includes(`is version 9.9.9, and @ottla/lab ${VERSION}`));
  } finally {
    fs.writeFileSync(file, text);
  }
});

test('a program that is no lab is said, and ends', async () => {
  for (const [text, why] of [
    ['echo no room >&2; exit 3', /ended with 3, and wrote:\nno room/],
    ['echo hello; exec sleep 60', /is no lab: it said "hello/],
    ['exec sleep 60', /said nothing for 300 ms, and wrote nothing/],
  ]) {
    const { file, pid, remove } = script(text);
    const startTimeout = text.startsWith('exec') ? 300 : 20_000;
    await assert.rejects(Lab.start({ binary: file, startTimeout }), (error) => error instanceof LabNotStarted && why.test(error.message));
    assert.ok(await isGone(pid(), 100));
    remove();
  }
  await assert.rejects(Lab.start({ configs: { 'log.retention.ms': 'soon' } }), /log\.retention\.ms/);
});

test('a word that is wrong is named, and a rule that does nothing is told', async () => {
  const lab = await Lab.start();
  await assert.rejects(lab.fault({ api: 'Produce', eror: 'X' }), { status: 400, field: 'eror' });
  const fault = await lab.fault({ api: 'Fetch', error: 'OFFSET_OUT_OF_RANGE' });
  await assert.rejects(lab.checkFaults(), NeverActed);
  await assert.rejects(fault.remove(), NeverActed);
  await assert.rejects(lab.waitRequests({ api: 'Produce' }, { timeout: 50 }), WaitTimeout);
  assert.match(await lab.story(), /seed/);
  await lab.close();
});
