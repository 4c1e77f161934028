import { recordScrub } from '../gateway/admin/record-scrub.ts'
import { counted } from '../gateway/model/counted.ts'
import type { TenantId } from '../gateway/model/ids.ts'
import type { ScrubCounts, ScrubFinding } from '../gateway/store/chart-scrub.ts'
import { printLine } from './terminal.ts'

/** Exit code if the scrub found a fault. */
const FOUND = 3

/** Compares the records of a tenant with the audit of writes, and prints findings and counts. */
export async function scrub(tenant: TenantId): Promise<void> {
  const scrubbing = recordScrub(process.env)
  try {
    const counts = await scrubbing.run(
      tenant,
      (finding) => printLine(findingLine(finding)),
      (progress) => printLine(line(progress), 'stderr'),
    )
    printLine(line(counts))
    if (counts.faulty > 0) process.exitCode = FOUND
    else if (counts.busy > 0) process.exitCode = 1
  } finally {
    scrubbing.close()
  }
}

const line = ({ sound, faulty, erased, busy, records }: ScrubCounts): string =>
  `${counted(records, 'record')} compared. Patients: sound ${sound}, faulty ${faulty}, erased ${erased}, not compared ${busy}`

const findingLine = ({ fault, patient, record = '' }: ScrubFinding): string =>
  [fault.padEnd(12), `patient ${patient}`, record.replace('#', ' ')].join('  ').trimEnd()
