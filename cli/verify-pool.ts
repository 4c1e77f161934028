import { Worker } from 'node:worker_threads'
import type { LogTrust, RunJob, SegmentJob, SegmentOutcome } from '../gateway/audit/verify/segment-job.ts'

interface Task {
  readonly job: SegmentJob
  readonly resolve: (outcome: SegmentOutcome) => void
  readonly reject: (error: Error) => void
}

type Answer = { readonly outcome: SegmentOutcome } | { readonly failure: string }

/** A worker holds one line and its item at a time. */
const LIMITS = { maxOldGenerationSizeMb: 64, maxYoungGenerationSizeMb: 8 }

/** Worker threads that verify the segments of one folder. */
export class VerifyPool {
  readonly #idle: Worker[] = []
  readonly #all: Worker[] = []
  readonly #waiting: Task[] = []
  readonly #running = new Map<Worker, Task>()

  constructor(folder: string, trust: LogTrust, workers: number) {
    for (let count = 0; count < workers; count++) {
      const worker = new Worker(new URL('./verify-worker.ts', import.meta.url), {
        workerData: { folder, trust },
        resourceLimits: LIMITS,
      })
      worker.on('message', (answer: Answer) => this.#answered(worker, answer))
      worker.on('error', (error) =>
        this.#running.get(worker)?.reject(error instanceof Error ? error : new Error('a worker failed')),
      )
      this.#all.push(worker)
      this.#idle.push(worker)
    }
  }

  readonly run: RunJob = async (job) =>
    await new Promise((resolve, reject) => {
      this.#waiting.push({ job, resolve, reject })
      this.#next()
    })

  async close(): Promise<void> {
    await Promise.all(this.#all.map((worker) => worker.terminate()))
  }

  #next(): void {
    const worker = this.#waiting.length > 0 ? this.#idle.pop() : undefined
    const task = worker === undefined ? undefined : this.#waiting.shift()
    if (worker === undefined || task === undefined) return
    this.#running.set(worker, task)
    worker.postMessage(task.job)
  }

  #answered(worker: Worker, answer: Answer): void {
    const task = this.#running.get(worker)
    this.#running.delete(worker)
    this.#idle.push(worker)
    if ('outcome' in answer) task?.resolve(answer.outcome)
    else task?.reject(new Error(answer.failure))
    this.#next()
  }
}
