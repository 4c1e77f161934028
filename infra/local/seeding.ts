import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ScanCommand } from '@aws-sdk/client-dynamodb'
import type { SeedOptions } from './demo/seed.ts'
import type { Stack } from './stack.ts'

export interface Seeding extends Pick<SeedOptions, 'openImporter' | 'log'> {
  readonly stack: Stack
  readonly dataFolder: string
  /** Patients in `riverside`; `lakeside` gets ten at most, enough to be another tenant. */
  readonly patients: number
}

const LAKESIDE_PATIENTS = 10
/** Counts up with every change of what is stored: data of another format cannot be read, nor be written over. */
const FORMAT = 3

/** What lies in the data folder was written in another format than this version of the stack reads. */
export class OtherFormat extends Error {
  override readonly name = 'OtherFormat'
  constructor() {
    super('The local data are of another version. To begin anew: npm start -- --fresh')
  }
}

/**
 * Writes the demo patients where they are not yet.
 *
 * A marker is written when all of them are in. Without it the seeding is repeated, which changes nothing of what an
 * interrupted one has written; and so it is where the tables are empty in spite of it, as an engine in memory leaves them.
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
  // a start that finds everything in place need not load the generator
  const { seedDemo } = await import('./demo/seed.ts')
  const lakeside = Math.min(LAKESIDE_PATIENTS, patients)
  await seedDemo({ stage: stack.env.PHI_STAGE, openImporter, riverside: patients, lakeside, log })
  writeFileSync(marker, JSON.stringify({ format: FORMAT, riverside: patients, lakeside }), { mode: 0o600 })
  return true
}

/** The first format was not named. */
function formatOf(marker: string): number {
  const { format } = JSON.parse(readFileSync(marker, 'utf8')) as { format?: unknown }
  return typeof format === 'number' ? format : 1
}
