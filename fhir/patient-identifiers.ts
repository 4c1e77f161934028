import { z } from 'zod'
import { WrittenPeriod, endInstant, firstInstant } from './instant.ts'

/** A business identifier of a patient that is valid, or will be. */
export interface CurrentIdentifier {
  /** `SYSTEM|VALUE`. */
  readonly key: string
  /** ISO 8601 in UTC with milliseconds. Absent without a limit, or if it is in the past. */
  readonly since?: string
  readonly until?: string
}

const Listed = z.object({ identifier: z.array(z.unknown()) })
/** A bar within the system would make two pairs of system and value one text. */
const Held = z.object({
  system: z.string().regex(/^[^|]+$/),
  value: z.string().min(1),
  use: z.unknown().optional(),
  period: WrittenPeriod.optional(),
})

/** No real patient has more. */
const MAX_IDENTIFIERS = 500

/**
 * The identifiers by which a patient can be found: those with a system and a value, except ones that are `old` or have ended. Without a
 * system, a value can belong to two patients.
 *
 * @param now ISO 8601 in UTC with milliseconds
 * @source https://hl7.org/fhir/R4/datatypes.html#Identifier
 */
export function currentIdentifiers(resource: Readonly<Record<string, unknown>>, now: string): readonly CurrentIdentifier[] {
  const all = Listed.safeParse(resource).data?.identifier ?? []
  const found = new Map<string, CurrentIdentifier>()
  for (const candidate of all) {
    const held = Held.safeParse(candidate)
    if (!held.success || held.data.use === 'old' || found.size >= MAX_IDENTIFIERS) continue
    const { system, value, period = {} } = held.data
    const since = period.start === undefined ? undefined : firstInstant(period.start)
    const until = period.end === undefined ? undefined : endInstant(period.end)
    if (until !== undefined && until <= now) continue
    const key = `${system}|${value}`
    const one = { key, ...(since !== undefined && since > now && { since }), ...(until !== undefined && { until }) }
    found.set(key, widest(found.get(key), one))
  }
  return [...found.values()]
}

/** A patient can list one identifier twice. */
function widest(known: CurrentIdentifier | undefined, one: CurrentIdentifier): CurrentIdentifier {
  if (known === undefined) return one
  const since = [known.since, one.since].includes(undefined) ? undefined : [known.since, one.since].toSorted()[0]
  const until = [known.until, one.until].includes(undefined) ? undefined : [known.until, one.until].toSorted()[1]
  return { key: one.key, ...(since !== undefined && { since }), ...(until !== undefined && { until }) }
}
