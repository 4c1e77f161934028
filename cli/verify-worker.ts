import { parentPort, workerData } from 'node:worker_threads'
import type { LogTrust, SegmentJob } from '../gateway/audit/verify/segment-job.ts'
import { jobRunner } from '../gateway/audit/verify/segment-job.ts'
import { ExportFolder } from './export-folder.ts'

// A worker thread of `phi audit verify`: it does the jobs that it receives, one after the other.

const { folder, trust } = workerData as { readonly folder: string; readonly trust: LogTrust }
const run = jobRunner(new ExportFolder(folder), trust)

parentPort?.on('message', (job: SegmentJob) => {
  run(job).then(
    (outcome) => parentPort?.postMessage({ outcome }, outcome.segment === undefined ? [] : [outcome.segment.hashes.buffer]),
    (error: unknown) => parentPort?.postMessage({ failure: error instanceof Error ? error.name : 'failed' }),
  )
})
