import type { Command } from 'commander'
import { FilterTooBroad } from '../gateway/model/failures.ts'
import type { TenantId } from '../gateway/model/ids.ts'
import { nodeOf } from '../gateway/oversight/anomalies/anomalies.ts'
import { type Anomalies, findAnomalies } from '../gateway/oversight/anomalies/find-anomalies.ts'
import type { AnomalyKind, Finding } from '../gateway/oversight/anomalies/finding.ts'
import { DAY_MS } from '../gateway/oversight/anomalies/local-day.ts'
import { counted } from '../gateway/model/counted.ts'
import { withAuditReview } from './audit-session.ts'
import { printLine } from './terminal.ts'

export interface AnomalyFlags {
  readonly tenant: TenantId
  readonly from: number
  readonly to: number
  readonly kind?: readonly AnomalyKind[]
  readonly minScore: number
  readonly json?: true
}

const HAS_FINDINGS = 1
const CANNOT_ANSWER = 2

/** Prints the findings of a span, the highest score first, and its accesses by class. */
export async function printAnomalies(flags: AnomalyFlags, command: Command): Promise<void> {
  const { json } = flags
  const { findings, classes } = await answerOf(flags, command)
  if (findings.length > 0) process.exitCode = HAS_FINDINGS
  if (json === true) {
    for (const finding of findings) printLine(JSON.stringify(nodeOf(finding)))
    printLine(JSON.stringify({ accesses: classes }))
    return
  }
  for (const finding of findings) printLine(line(finding))
  const { explained, unexplained, suspicious } = classes
  printLine(
    `${counted(findings.length, 'finding')}; of the accesses that disclosed a value, ${counted(suspicious, 'is', 'are')} suspicious, ` +
      `${number(unexplained)} unexplained and ${number(explained)} explained`,
  )
}

async function answerOf(flags: AnomalyFlags, command: Command): Promise<Pick<Anomalies, 'findings' | 'classes'>> {
  const { from, to, kind: kinds, minScore } = flags
  return await withAuditReview(
    flags,
    command,
    async (review) => {
      const args = { from, to, minScore, ...(kinds !== undefined && { kinds }) }
      return await review.ask({ field: 'anomalies', args }, async ({ reader, anomalies: settings, now, deadline }) => {
        const until = Math.min(to, now)
        if (until - from > settings.maxDays * DAY_MS) throw new FilterTooBroad(['from', 'to'])
        const { findings, classes } = await findAnomalies(reader.tables, reader.workforce, { from, to: until }, settings, deadline)
        const wanted = findings.filter(({ kind, score }) => score >= minScore && (kinds === undefined || kinds.includes(kind)))
        return { answer: { findings: wanted, classes }, count: wanted.length }
      })
    },
    CANNOT_ANSWER,
  )
}

const line = ({ score, kind, explanation }: Finding): string => `${score.toFixed(2)}  ${kind.padEnd(22)}  ${explanation}`

const number = (value: number): string => value.toLocaleString('en-US')
