/** The test lab: a real Kafka that a test starts in milliseconds, breaks on purpose, and throws away. */

/** Milliseconds, or a text such as "250ms", "5s", "8d". */
export type Duration = number | string;

export class LabError extends Error {}
/** The program is nowhere; the message names the package that brings it. */
export class BinaryMissing extends LabError {}
/** The program ended or said nothing; the message holds what it wrote. */
export class LabNotStarted extends LabError {}
export class LabEnded extends LabError {}
export class VersionMismatch extends LabError {}
/** The lab refused. */
export class ApiError extends LabError {
  readonly status: number;
  /** The word that is wrong, or empty. */
  readonly field: string;
  readonly body: any;
}
/** What was waited for did not come in time. */
export class WaitTimeout extends ApiError {}
/** A rule did nothing: a test that passes without its fault proves nothing. */
export class NeverActed extends ApiError {}

export interface Record {
  topic: string;
  partition: number;
  offset: number;
  timestamp: number;
  key: Buffer | null;
  value: Buffer | null;
  headers: { [name: string]: string | null };
}

export interface NewRecord {
  key?: string | Uint8Array | null;
  value?: string | Uint8Array | object | number | boolean | null;
  partition?: number;
  timestamp?: number;
  headers?: { [name: string]: string | null };
}

export interface Request {
  number: number;
  api: string;
  version: number;
  clientId: string;
  software: string;
  connection: number;
  outcome: 'waiting' | 'answered' | 'silent' | 'dropped' | 'closed';
  errors: string[] | null;
  /** The id of the rule that acted on it. */
  fault: string | null;
  tookUs: number | null;
  body?: any;
  answer?: any;
}

/** Which requests are meant; what is not said matches all. */
export interface Match {
  api?: string | string[];
  version?: number;
  topic?: string;
  partition?: number;
  group?: string;
  transactional_id?: string;
  client_id?: string;
  software?: string;
  connection?: number;
  error?: string;
  outcome?: Request['outcome'];
  fault?: string;
  since?: number;
}

/** A fault rule, in the words of docs/lab/README.md. */
export interface Rule {
  api?: string | number | (string | number)[];
  version?: number | string;
  topic?: string;
  partition?: number;
  group?: string;
  transactional_id?: string;
  client_id?: string;
  software?: string;
  user?: string;
  connection?: number;
  acks?: number;
  when?: 'request' | 'response';
  once?: boolean;
  times?: number;
  nth?: number;
  every?: boolean;
  every_nth?: number;
  probability?: number;
  error?: string;
  message?: string;
  disconnect?: 'before' | 'after';
  drop?: boolean | 'before' | 'after';
  duplicate?: boolean;
  hold?: string;
  delay?: Duration;
  throttle?: Duration;
}

export interface Group {
  group: string;
  state: string;
  protocol: string;
  members: { memberId: string; instanceId: string | null; clientId: string; assignment: { topic: string; partition: number }[] }[];
  offsets: { topic: string; partition: number; offset: number; end: number | null; lag: number | null }[];
  lag: number;
}

export interface Clock {
  mode: 'real' | 'frozen';
  records: number;
  timers: number;
  next_in_ms: number | null;
}

export interface ClusterSettings {
  name?: string;
  topics?: (string | { name: string; partitions?: number; configs?: { [key: string]: string | number | boolean } })[];
  configs?: { [key: string]: string | number | boolean };
  faults?: Rule[];
  seed?: number;
  ttl?: Duration;
}

export interface LabSettings {
  seed?: number;
  /** "orders", "orders:6" */
  topics?: string[];
  configs?: { [key: string]: string | number | boolean };
  /** The path of a lab.toml. */
  config?: string;
  /** The lab ends by itself after this time. */
  ttl?: Duration;
  /** Another program than `binary()`. */
  binary?: string;
  /** Milliseconds. */
  startTimeout?: number;
}

export class Fault {
  readonly id: string;
  readonly required: boolean;
  hits(): Promise<number>;
  remove(options?: { required?: boolean }): Promise<void>;
}

export class Cluster {
  readonly id: string;
  /** For `brokers` of any client. */
  readonly bootstrap: string;
  readonly seed: number;
  delete(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
  /** As it was made, behind the same port; clients stay connected. */
  reset(): Promise<void>;
  createTopic(name: string, partitions?: number): Promise<void>;
  produce(topic: string, ...records: (NewRecord | string | Uint8Array | null)[]): Promise<void>;
  /** Once there are `count` that match; WaitTimeout after `wait`. */
  records(topic: string, options?: { count?: number; wait?: Duration; partition?: number; from?: number; key?: string }): Promise<Record[]>;
  group(name: string, options?: { stable?: boolean; members?: number; lag?: number; timeout?: Duration }): Promise<Group>;
  fault(rule: Rule & { required?: boolean }): Promise<Fault>;
  faults(): Promise<{ id: string; rule: Rule; seen: number; hits: number }[]>;
  clearFaults(): Promise<void>;
  checkFaults(): Promise<void>;
  gates(): Promise<{ [gate: string]: number }>;
  release(gate: string): Promise<number>;
  requests(match?: Match & { limit?: number }): Promise<Request[]>;
  count(match?: Match): Promise<number>;
  waitRequests(match?: Match, options?: { count?: number; timeout?: Duration }): Promise<Request[]>;
  forgetRequests(): Promise<void>;
  clock(): Promise<Clock>;
  freeze(): Promise<void>;
  unfreeze(): Promise<void>;
  advance(by: Duration, what?: ('records' | 'timers')[]): Promise<Clock & { fired: number; settled: boolean }>;
  nextTimer(): Promise<Clock & { fired: number; settled: boolean }>;
  story(requests?: number): Promise<string>;
}

export class Lab extends Cluster {
  private constructor();
  static start(settings?: LabSettings): Promise<Lab>;
  /** Of the control API. */
  readonly address: string;
  readonly pid: number;
  cluster(settings?: ClusterSettings): Promise<Cluster>;
  clusters(): Promise<string[]>;
  close(): Promise<void>;
}

export const VERSION: string;
/** The path of the program `ottla`. */
export function binary(): string;
/** The package that brings the program of this platform. */
export function platformPackage(): string;
