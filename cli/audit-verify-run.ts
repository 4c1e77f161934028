import type { Command } from 'commander'
import { availableParallelism } from 'node:os'
import { firstBadItem, type LogReport, replayLine, reportLine } from '../gateway/audit/verify/log-report.ts'
import { UnknownLog, verifyLog, type VerifyOptions } from '../gateway/audit/verify/verify-log.ts'
import { lockDigest } from '../directives/compile.ts'
import { counted } from '../gateway/model/counted.ts'
import { findingLine } from './audit-findings.ts'
import { CANNOT_VERIFY, fileText, policyOf } from './audit-policy.ts'
import { ExportFolder } from './export-folder.ts'
import { namesIn } from './files.ts'
import { positionProgress } from './position-progress.ts'
import { printLine } from './terminal.ts'
import { VerifyPool } from './verify-pool.ts'

export interface VerifyFlags {
  readonly policy?: string
  readonly checkpoints?: string
  readonly lock?: readonly string[]
  readonly json?: true
}

/** Findings that are printed one by one. `--json` has more. */
const MAX_PRINTED = 50
/** The exit code for a log with findings. */
const FAULTY = 1

/** Verifies an export on all processors, and prints the report. */
export async function verifyFolder(
  dir: string,
  { policy: policyFile, checkpoints, lock, json }: VerifyFlags,
  command: Command,
): Promise<void> {
  namesIn(dir, '<dir>', { exitCode: CANNOT_VERIFY })
  const policy = await policyOf(new ExportFolder(dir), policyFile, command)
  const kept = checkpoints === undefined ? undefined : fileText(checkpoints, '--checkpoints')
  const reviewed = lock && new Set(lock.map((file) => lockDigest(fileText(file, '--lock'))))
  const report = await verified(dir, { policy, ...(kept !== undefined && { kept }), ...(reviewed && { reviewed }) }, command)
  if (json === true) printLine(JSON.stringify(report))
  else print(report, policyFile !== undefined)
  if (report.findingCount > 0) process.exitCode = FAULTY
}

async function verified(
  dir: string,
  options: Pick<VerifyOptions, 'policy' | 'kept' | 'reviewed'>,
  command: Command,
): Promise<LogReport> {
  const progress = positionProgress(process.stderr, 'items verified')
  let pool: VerifyPool | undefined
  try {
    return await verifyLog(new ExportFolder(dir), {
      ...options,
      runner: (trust) => {
        const workers = availableParallelism()
        pool = new VerifyPool(dir, trust, workers)
        // one job waits for each worker
        return { run: pool.run, width: 2 * workers }
      },
      onProgress: progress.update,
    })
  } catch (error) {
    if (!(error instanceof UnknownLog)) throw error
    return command.error(
      'error: the folder has no log that the policy names. Check the path of the folder, and the file of --policy.',
      { exitCode: CANNOT_VERIFY },
    )
  } finally {
    progress.stop()
    await pool?.close()
  }
}

function print(report: LogReport, hasOwnPolicy: boolean): void {
  const { from, to, late, unwitnessed, kept, findings, findingCount } = report
  printLine(reportLine(report))
  printLine(replayLine(report))
  printLine(`${report.origin}: positions ${from.size} to ${to.size}, sealed ${timeOf(from)} to ${timeOf(to)}`)
  if (kept.given > 0) printLine(`${kept.verified} of ${counted(kept.given, 'kept checkpoint holds', 'kept checkpoints hold')}`)
  if (late.count > 0)
    printLine(
      `${counted(late.count, 'item was', 'items were')} sealed late: the first is ${late.items[0]?.lane ?? ''}/${late.items[0]?.sequence ?? 0}`,
    )
  if (unwitnessed.length > 0)
    printLine(
      `${counted(unwitnessed.length, 'checkpoint lacks', 'checkpoints lack')} the quorum: the first has size ${unwitnessed[0] ?? 0}`,
    )
  if (!hasOwnPolicy) printLine('The keys are those in the export. To trust no file of the operator, specify --policy.', 'stderr')
  if (findingCount === 0) return
  const bad = firstBadItem(findings)
  if (bad !== undefined) printLine(`First bad item: ${findingLine(bad)}`)
  const gaps = findings.filter(({ kind }) => kind === 'GAP' || kind === 'SEGMENT_MISSING')
  for (const gap of gaps) printLine(findingLine(gap))
  const others = findings.filter((finding) => finding !== bad && !gaps.includes(finding))
  for (const finding of others.slice(0, MAX_PRINTED)) printLine(findingLine(finding))
  const left = findingCount - (bad === undefined || gaps.includes(bad) ? 0 : 1) - gaps.length - Math.min(others.length, MAX_PRINTED)
  if (left > 0) printLine(`${counted(left, 'more finding')}: use --json`)
}

const timeOf = ({ size, time }: LogReport['from']): string =>
  time === undefined ? (size === 0 ? 'from the first item' : 'at an unknown time') : new Date(time * 1_000).toISOString()
