// The test lab: starts `ottla lab`, speaks its control API, ends with the test. Nothing but Node's own modules.
'use strict';

const { spawn } = require('node:child_process');
const fs = require('node:fs');
const http = require('node:http');
const path = require('node:path');

const { version: VERSION } = require('./package.json');
const ASYNC_DISPOSE = Symbol.asyncDispose ?? Symbol.for('Symbol.asyncDispose');

/** Anything that goes wrong with a lab. */
class LabError extends Error {
  constructor(message, options) {
    super(message, options);
    this.name = new.target.name;
  }
}
class BinaryMissing extends LabError {}
class LabNotStarted extends LabError {}
class LabEnded extends LabError {}
class VersionMismatch extends LabError {}

/** The lab refused: `status` is that of HTTP, `field` the word that is wrong (or empty), `body` the whole answer. */
class ApiError extends LabError {
  constructor(status, body) {
    const error = body.error ?? {};
    const nearest = (body.nearest ?? []).map(
      ({ request, but }) => `\n  nearest: ${request.api} v${request.version} by ${request.client_id}, but not: ${but.join(', ')}`,
    );
    super(`${error.field ? `${error.field}: ` : ''}${error.message ?? JSON.stringify(body)}${nearest.join('')}`);
    Object.assign(this, { status, field: error.field ?? '', body });
  }
}
class WaitTimeout extends ApiError {}
class NeverActed extends ApiError {}

/** The package of this platform that has the binary. */
function platformPackage() {
  return `@ottla/${process.platform}-${process.arch}`;
}

/** The program: what OTTLA_BINARY names, else that of the platform's package. It is never fetched. */
function binary() {
  const named = process.env.OTTLA_BINARY;
  if (named) {
    if (isProgram(named)) return path.resolve(named);
    throw new BinaryMissing(`OTTLA_BINARY is ${JSON.stringify(named)}, and that is no program`);
  }
  const wanted = platformPackage();
  let manifest;
  try {
    manifest = require.resolve(`${wanted}/package.json`);
  } catch (error) {
    throw new BinaryMissing(
      `the package ${wanted} is missing: it brings the program of this platform, and is an optional dependency of ` +
        `@ottla/lab. It is left out by --omit=optional and by a lock file of another platform. ` +
        `Install ${wanted}@${VERSION}, or let OTTLA_BINARY name a program.`,
      { cause: error },
    );
  }
  const found = require(manifest).version;
  if (found !== VERSION) {
    throw new VersionMismatch(`${wanted} is version ${found}, and @ottla/lab ${VERSION}: install both of one version`);
  }
  const program = path.join(path.dirname(manifest), 'bin', process.platform === 'win32' ? 'ottla.exe' : 'ottla');
  if (!isProgram(program)) throw new BinaryMissing(`${wanted} has no program at ${program}`);
  return program;
}

function isProgram(file) {
  try {
    fs.accessSync(file, fs.constants.X_OK);
    return fs.statSync(file).isFile();
  } catch {
    return false;
  }
}

const UNITS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** A number of milliseconds, or a text such as "5s". */
function duration(value) {
  return typeof value === 'number' ? `${Math.round(value)}ms` : value;
}

function milliseconds(value) {
  const parts = /^(\d+)(ms|s|m|h|d)?$/.exec(duration(value));
  // The lab names what is wrong with it.
  return parts ? Number(parts[1]) * UNITS[parts[2] ?? 'ms'] : 0;
}

function recordOf({ key, value, key_base64, value_base64, ...rest }) {
  const bytes = (text, base64) =>
    base64 !== undefined ? Buffer.from(base64, 'base64') : text === null || text === undefined ? null : Buffer.from(text);
  return { ...rest, key: bytes(key, key_base64), value: bytes(value, value_base64) };
}

function jsonOf(record) {
  const out = {};
  for (const [name, value] of Object.entries(record)) {
    if (value instanceof Uint8Array) out[`${name}_base64`] = Buffer.from(value).toString('base64');
    else if (value !== undefined) out[name] = value;
  }
  return out;
}

function requestOf({ client_id, took_us, request, ...rest }) {
  return { ...rest, clientId: client_id, tookUs: took_us, body: request };
}

function groupOf({ members, ...rest }) {
  return {
    ...rest,
    members: members.map(({ member_id, instance_id, client_id, assignment }) => ({
      memberId: member_id,
      instanceId: instance_id,
      clientId: client_id,
      assignment: assignment ?? [],
    })),
  };
}

/** A rule that a cluster obeys. */
class Fault {
  constructor(cluster, id, required) {
    Object.assign(this, { cluster, id, required });
  }

  async hits() {
    return (await this.cluster._ask('GET', `/faults/${this.id}`)).hits;
  }

  /** Takes it away; NeverActed if it was required to act and has not. */
  async remove({ required = this.required } = {}) {
    this.cluster._faults.delete(this.id);
    await this.cluster._ask('DELETE', `/faults/${this.id}`, undefined, required ? { expect: 'hit' } : {});
  }
}

/** A Kafka of its own: its port, topics, groups, rules, journal and clocks. Made by `lab.cluster`. */
class Cluster {
  constructor(lab, { id, bootstrap, seed }) {
    Object.assign(this, { lab: lab ?? this, id, bootstrap, seed, _faults: new Map() });
  }

  _ask(method, address, body, words = {}, patience = 0) {
    return this.lab._askLab(method, `/clusters/${this.id}${address}`, body, words, patience);
  }

  async delete() {
    await this.lab._askLab('DELETE', `/clusters/${this.id}`);
  }

  [ASYNC_DISPOSE]() {
    return this.delete();
  }

  /** As it was made, behind the same port; clients stay connected. */
  async reset() {
    await this._ask('POST', '/reset', undefined, {}, 30_000);
    this._faults.clear();
  }

  async createTopic(name, partitions = 1) {
    await this._ask('POST', '/topics', { name, partitions });
  }

  /** Records in the words of the control API; a text or bytes alone are a value. */
  async produce(topic, ...records) {
    const isBare = (one) => one === null || typeof one === 'string' || one instanceof Uint8Array;
    const body = records.map((one) => jsonOf(isBare(one) ? { value: one } : one));
    await this._ask('POST', `/topics/${encodeURIComponent(topic)}/records`, body);
  }

  async records(topic, { count, wait, partition, from, key } = {}) {
    const words = { count, partition, from, key, wait: wait === undefined ? undefined : duration(wait) };
    const address = `/topics/${encodeURIComponent(topic)}/records`;
    const answer = await this._ask('GET', address, undefined, words, milliseconds(wait ?? 0));
    return answer.records.map(recordOf);
  }

  async group(name, { stable = false, members, lag, timeout = 10_000 } = {}) {
    const waits = stable || members !== undefined || lag !== undefined;
    const words = { wait: stable ? 'stable' : undefined, members, lag, timeout: waits ? duration(timeout) : undefined };
    const patience = waits ? milliseconds(timeout) : 0;
    return groupOf(await this._ask('GET', `/groups/${encodeURIComponent(name)}`, undefined, words, patience));
  }

  /** Adds a rule behind the others; one that is `required` (the default) must have acted in the end. */
  async fault({ required = true, ...words }) {
    const fault = new Fault(this, (await this._ask('POST', '/faults', words)).id, required);
    this._faults.set(fault.id, fault);
    return fault;
  }

  async faults() {
    return (await this._ask('GET', '/faults')).faults;
  }

  async clearFaults() {
    this._faults.clear();
    await this._ask('DELETE', '/faults');
  }

  /** NeverActed if a rule is left that is required to have acted and has not. */
  async checkFaults() {
    const idle = (await this.faults()).filter(({ id, hits }) => hits === 0 && this._faults.get(id)?.required);
    if (idle.length === 0) return;
    const rules = idle.map(({ rule, seen }) => `${JSON.stringify(rule)} (about ${seen} requests)`).join('; ');
    throw new NeverActed(409, { error: { message: `never acted: ${rules}` }, faults: idle });
  }

  async gates() {
    const { gates } = await this._ask('GET', '/gates');
    return Object.fromEntries(gates.map(({ gate, waiting }) => [gate, waiting]));
  }

  async release(gate) {
    return (await this._ask('POST', `/gates/${encodeURIComponent(gate)}/release`)).released;
  }

  async requests(words = {}) {
    return (await this._ask('GET', '/requests', undefined, words)).requests.map(requestOf);
  }

  async count(words = {}) {
    return (await this._ask('POST', '/requests/count', words)).count;
  }

  async waitRequests(words = {}, { count = 1, timeout = 10_000 } = {}) {
    const body = { match: words, count, timeout: duration(timeout) };
    const answer = await this._ask('POST', '/requests/wait', body, {}, milliseconds(timeout));
    return answer.requests.map(requestOf);
  }

  async forgetRequests() {
    await this._ask('DELETE', '/requests');
  }

  clock() {
    return this._ask('GET', '/clock');
  }

  async freeze() {
    await this._ask('PUT', '/clock', { mode: 'frozen' });
  }

  async unfreeze() {
    await this._ask('PUT', '/clock', { mode: 'real' });
  }

  /** Moves the clocks ("records", "timers"), and resolves when all that became due is done. */
  advance(by, what = ['records', 'timers']) {
    return this._ask('POST', '/clock/advance', { by: duration(by), what }, {}, 10_000);
  }

  nextTimer() {
    return this._ask('POST', '/clock/next', undefined, {}, 10_000);
  }

  /** What to show of a test that failed: seed, rules with their hits, the last requests. */
  async story(count = 20) {
    const lines = [`cluster ${this.id} at ${this.bootstrap}, seed ${this.seed}`];
    for (const { id, rule, hits } of await this.faults()) lines.push(`rule ${id}: ${JSON.stringify(rule)}, acted ${hits} times`);
    for (const one of await this.requests({ limit: count, bodies: 'false' })) {
      const what = one.errors?.join(', ') || one.outcome;
      lines.push(`${one.number} ${one.api} v${one.version} ${one.clientId}: ${what}${one.fault ? `, by rule ${one.fault}` : ''}`);
    }
    return lines.join('\n');
  }
}

/** The lab's process, and its main cluster. */
class Lab extends Cluster {
  /** @private */
  constructor(child, wrote, ready) {
    super(null, { id: 'main', bootstrap: ready.bootstrap, seed: ready.seed });
    this.address = ready.lab;
    this.pid = child.pid;
    this._child = child;
    this._wrote = wrote;
  }

  static async start({ seed, topics = [], configs = {}, config, ttl, binary: program, startTimeout = 20_000 } = {}) {
    const file = program ?? binary();
    // Its standard input is a pipe to this process alone: the lab ends when this process does, however it does.
    const words = ['lab', '--exit-with-parent'];
    if (seed !== undefined) words.push('--seed', String(seed));
    if (config !== undefined) words.push('--config', config);
    if (ttl !== undefined) words.push('--ttl', duration(ttl));
    for (const [key, value] of Object.entries(configs)) words.push('--override', `${key}=${value}`);
    const child = spawn(file, words, { stdio: ['pipe', 'pipe', 'pipe'] });
    // It is told when the child is asked the next thing.
    child.stdin.on('error', () => {});
    let said = '';
    child.stderr.setEncoding('utf8').on('data', (text) => {
      said = (said + text).slice(-4000);
    });
    const wrote = () => (said.trim() ? `, and wrote:\n${said.trim()}` : ', and wrote nothing');
    const ready = await readyLine(child, [file, ...words].join(' '), startTimeout, wrote);
    const lab = new Lab(child, wrote, ready);
    // A test run that forgets its lab ends all the same, and the lab with it.
    for (const one of [child, child.stdin, child.stdout, child.stderr]) one.unref();
    try {
      const found = (await lab._askLab('GET', '/openapi.json')).info.version;
      if (found !== VERSION) {
        throw new VersionMismatch(
          `${file} is version ${found}, and @ottla/lab ${VERSION}: take both of one version, or let OTTLA_BINARY name the right program`,
        );
      }
      lab._topics = topics;
      await lab._createFirstTopics();
    } catch (error) {
      await lab.close();
      throw error;
    }
    return lab;
  }

  async _createFirstTopics() {
    for (const topic of this._topics) {
      const [name, partitions] = topic.split(':');
      await this.createTopic(name, Number(partitions ?? 1));
    }
  }

  async reset() {
    await super.reset();
    await this._createFirstTopics();
  }

  async _askLab(method, address, body, words = {}, patience = 0) {
    const url = new URL(this.address + address);
    for (const [name, value] of Object.entries(words)) {
      if (value !== undefined) url.searchParams.set(name, String(value));
    }
    let answer;
    try {
      answer = await exchange(method, url, body === undefined ? '' : JSON.stringify(body), 30_000 + patience);
    } catch (error) {
      throw await this._ended(error);
    }
    let told;
    try {
      told = JSON.parse(answer.text);
    } catch {
      told = { error: { message: answer.text } };
    }
    if (answer.status < 400) return told;
    if (answer.status === 408) throw new WaitTimeout(408, told);
    if (answer.status === 409 && words.expect === 'hit') throw new NeverActed(409, told);
    throw new ApiError(answer.status, told);
  }

  async _ended(cause) {
    const code = await ending(this._child, 1000);
    return code === undefined
      ? new LabError(`the lab at ${this.address} does not answer: ${cause.message}`, { cause })
      : new LabEnded(`the lab at ${this.address} has ended with ${code}${this._wrote()}`, { cause });
  }

  /** Makes a cluster with a port of its own; it serves when this resolves. */
  async cluster({ ttl, ...settings } = {}) {
    const body = { ...settings, ...(ttl === undefined ? {} : { ttl: duration(ttl) }) };
    return new Cluster(this, await this._askLab('POST', '/clusters', body));
  }

  async clusters() {
    return (await this._askLab('GET', '/clusters')).clusters.map(({ id }) => id);
  }

  /** The main cluster ends with the lab. */
  delete() {
    return this.close();
  }

  /** Ends the lab; nothing of it is left when this resolves. */
  async close() {
    this._child.ref();
    this._child.stdin.end();
    if ((await ending(this._child, 5000)) === undefined) {
      this._child.kill('SIGKILL');
      await ending(this._child, 5000);
    }
  }
}

/** How a child has ended; undefined if it runs on. */
function ending(child, patience) {
  const code = () => child.exitCode ?? child.signalCode;
  if (code() !== null) return Promise.resolve(code());
  return new Promise((resolve) => {
    const over = () => {
      clearTimeout(timer);
      child.off('exit', over);
      resolve(code() ?? undefined);
    };
    const timer = setTimeout(over, patience);
    child.once('exit', over);
  });
}

function readyLine(child, command, timeout, wrote) {
  return new Promise((resolve, reject) => {
    let text = '';
    const stop = (error, kills) => {
      clearTimeout(timer);
      child.stdout.removeAllListeners('data');
      child.removeAllListeners('error').removeAllListeners('close');
      // Later ones are told by whoever asks the child something.
      child.on('error', () => {});
      child.stdout.resume();
      if (error === null) return resolve(JSON.parse(text.slice(0, text.indexOf('\n'))));
      if (!kills) return reject(error);
      child.kill('SIGKILL');
      ending(child, 5000).then(() => reject(error));
    };
    const timer = setTimeout(() => stop(new LabNotStarted(`${command} said nothing for ${timeout} ms${wrote()}`), true), timeout);
    child.once('error', (cause) => stop(new LabNotStarted(`${command} can't be started: ${cause.message}`, { cause }), false));
    child.once('close', (code, signal) => stop(new LabNotStarted(`${command} ended with ${code ?? signal}${wrote()}`), false));
    child.stdout.setEncoding('utf8').on('data', (more) => {
      text += more;
      const end = text.indexOf('\n');
      if (end < 0) return;
      try {
        JSON.parse(text.slice(0, end));
      } catch {
        return stop(new LabNotStarted(`${command} is no lab: it said ${JSON.stringify(text.slice(0, 200))}`), true);
      }
      stop(null, false);
    });
  });
}

function exchange(method, url, body, timeout) {
  return new Promise((resolve, reject) => {
    const headers = { 'content-length': Buffer.byteLength(body) };
    const request = http.request(url, { method, headers, timeout, agent: false }, (answer) => {
      let text = '';
      answer.setEncoding('utf8').on('data', (more) => (text += more));
      answer.on('end', () => resolve({ status: answer.statusCode, text })).on('error', reject);
    });
    request.on('timeout', () => request.destroy(new Error(`no answer in ${timeout} ms`))).on('error', reject);
    request.end(body);
  });
}

module.exports = {
  ApiError, BinaryMissing, Cluster, Fault, Lab, LabEnded, LabError, LabNotStarted, NeverActed, VERSION,
  VersionMismatch, WaitTimeout, binary, platformPackage,
};
