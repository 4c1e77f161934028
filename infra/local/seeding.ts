import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ScanCommand } from '@aws-sdk/client-dynamodb'
import type { SeedOptions } from './demo/seed.ts'
import type { Stack } from './stack.ts'
import { startCommandWith } from './start-command.ts'
import { StartRefused } from './start-refused.ts'

export interface Seeding extends Pick<SeedOptions, 'openImporter' | 'log'> {
  readonly stack: Stack
  readonly dataFolder: string
  /** Number of patients in `riverside`. `lakeside` gets at most ten, which is enough for a second tenant. */
  readonly patients: number
}

const LAKESIDE_PATIENTS = 10
/** Increase it with every change of the stored format. Data of another format can be neither read nor overwritten. */
const FORMAT = 8

/** The data folder has a format that this version of the stack cannot read. */
export class OtherFormat extends StartRefused {
  override readonly name = 'OtherFormat'
  constructor() {
    super(
      `The local data has the format of another version. To delete it and start again, run: ${startCommandWith({ options: '--fresh' })}`,
    )
  }
}

/**
 * Writes the demo patients unless they exist.
 *
 * After the last patient it writes a marker. Without the marker, it seeds again, which does not change the records of an
 * interrupted run. It also seeds again if the tables are empty despite the marker, for instance on an engine in memory.
 *
 * @returns whether it seeded
 * @throws OtherFormat
 */
export async function seedOnce({ stack, dataFolder, patients, openImporter, log }: Seeding): Promise<boolean> {
  const marker = join(dataFolder, 'seeded.json')
  const { Count: found = 0 } = await stack.dynamodb.send(new ScanCommand({ TableName: stack.env.PHI_TABLE_RECORDS, Limit: 1 }))
  if (found > 0 && existsSync(marker)) {
    if (formatOf(marker) !== FORMAT) throw new OtherFormat()
    return false
  }
  // loads the generator only when it has to run
  const { seedDemo } = await import('./demo/seed.ts')
  const lakeside = Math.min(LAKESIDE_PATIENTS, patients)
  await seedDemo({ stage: stack.env.PHI_STAGE, openImporter, riverside: patients, lakeside, log })
  writeFileSync(marker, JSON.stringify({ format: FORMAT, riverside: patients, lakeside }), { mode: 0o600 })
  return true
}

/** A marker of the first format has no number. */
function formatOf(marker: string): number {
  const { format } = JSON.parse(readFileSync(marker, 'utf8')) as { format?: unknown }
  return typeof format === 'number' ? format : 1
}
