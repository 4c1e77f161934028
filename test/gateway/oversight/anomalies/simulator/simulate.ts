import type { WorkforceRelations } from '../../../../../gateway/oversight/anomalies/relations.ts'
import type { AuditTables } from '../../../../../gateway/oversight/tables/audit-tables.ts'
import { BASELINE_DAYS, JUDGED_DAYS, localTime } from './calendar.ts'
import { usualTraffic } from './habits.ts'
import { knownBy } from './known-traffic.ts'
import type { Plant } from './planting.ts'
import { plantMisuse } from './plants.ts'
import { SeededRandom } from './random.ts'
import { type ClinicSize, FULL_CLINIC, hireStaff } from './staff.ts'
import { townRelations } from './town.ts'
import { writeTraffic } from './written-traffic.ts'

/** A clinic's traffic in audit tables, with planted misuse in the judged days. */
export interface Simulation {
  readonly tables: AuditTables
  readonly workforce: WorkforceRelations
  readonly plants: readonly Plant[]
  /** The judged days, in milliseconds since the epoch, inclusive. */
  readonly judged: { readonly from: number; readonly to: number }
  /** Field-level records of the judged days, and of these the ones that disclosed a value. */
  readonly records: number
  readonly granted: number
}

/**
 * @param each plants of each kind
 * @param folder for the log and the tables
 */
export async function simulate(
  seed: number,
  folder: string,
  { each = 24, size = FULL_CLINIC }: { readonly each?: number; readonly size?: ClinicSize } = {},
): Promise<Simulation> {
  const random = new SeededRandom(seed)
  const staff = hireStaff(random, size)
  const known = knownBy(staff)
  const usual = usualTraffic(random, staff, known)
  const { requests: planted, plants } = plantMisuse(random, staff, known, usual, each)
  const [from, end] = [localTime(BASELINE_DAYS, 0), localTime(BASELINE_DAYS + JUDGED_DAYS, 0)]
  // a review of the last days is after the end
  const requests = [...usual, ...planted].filter(({ at }) => at < end)
  const tables = await writeTraffic(requests, random, folder)
  const accesses = requests.flatMap(({ at, accesses: all }) => (at >= from ? all : []))
  const granted = accesses.filter(({ outcome }) => outcome === 'DISCLOSED').length
  return { tables, workforce: townRelations(staff.town), plants, judged: { from, to: end - 1 }, records: accesses.length, granted }
}
