import { readFileSync } from 'node:fs'
import { availableParallelism, cpus } from 'node:os'
import type { ContestantName } from './contestant-names.ts'

// The figures of one run. `bench/results/results.json` holds those of the last full run.

/** One scenario at one delay of the store, one request after another. Milliseconds. */
export interface Latency {
  readonly scenario: string
  /** Milliseconds for each round trip to the store. */
  readonly delay: number
  readonly contestant: ContestantName
  readonly median: number
  readonly p95: number
  /** CPU time of the contestant's process for one request: the median of the blocks. */
  readonly cpu: number
  readonly requests: number
}

/** 16 requests at the same time. */
export interface Throughput {
  readonly scenario: string
  readonly delay: number
  readonly contestant: ContestantName
  readonly perSecond: number
}

/** The work of one request with warm keys and session. It does not depend on the machine. */
export interface Work {
  readonly scenario: string
  readonly contestant: ContestantName
  readonly values: number
  /** Requests to the store. */
  readonly requests: number
  /** Round trips that wait for each other. */
  readonly roundTrips: number
  readonly transactions: number
  readonly itemsRead: number
  readonly readUnits: number
  readonly writeUnits: number
  readonly auditItems: number
  /** Ciphertexts opened: values, and the sealed items of the gateway. */
  readonly openings: number
}

/** CPU time of requests of different sizes. */
export interface Scaling {
  readonly values: number
  readonly contestant: ContestantName
  /** Milliseconds for one request. */
  readonly cpu: number
}

/** A new process: loading of the bundle, and the first request. Medians in milliseconds. */
export interface ColdStart {
  readonly function: string
  readonly bundleKilobytes: number
  readonly init: number
  readonly first: number
}

export interface Machine {
  readonly node: string
  readonly processor: string
  readonly processors: number
}

export interface Results {
  readonly machine: Machine
  readonly latency: readonly Latency[]
  readonly throughput: readonly Throughput[]
  readonly work: readonly Work[]
  readonly scaling: readonly Scaling[]
  readonly coldStart: readonly ColdStart[]
}

export const thisMachine = (): Machine => ({
  node: process.version,
  processor: cpus()[0]?.model.trim() ?? '',
  processors: availableParallelism(),
})

/** The figures of the last full run. */
export const storedResults = (): Results =>
  JSON.parse(readFileSync(new URL('./results/results.json', import.meta.url), 'utf8')) as Results
