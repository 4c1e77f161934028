import * as z from 'zod'
import { openAccessItem, sealAccessItem } from '../crypto/access-seal.ts'
import type { PurposeKey } from '../crypto/tenant-keys.ts'
import { type BreakGlassWrite, hourPlace } from '../store/break-glass.ts'
import { hourNumber } from '../model/budget.ts'
import { IntegrityFailure } from '../model/failures.ts'
import type { Instant, PatientId, TenantId } from '../model/ids.ts'
import type { GrantWriteParts } from './grant-writes.ts'

/**
 * The grants that a user begins within an hour, those of the same patient included: 20 a minute. Without a bound, a user could fill the
 * list of a patient by ending each grant and beginning the next one.
 */
const MAX_GRANTS = 1_200
const Content = z.object({ hour: z.int(), grants: z.int(), patients: z.array(z.string()) })

/** The patient in the event of a count that does not open. */
const NO_PATIENT = 'HOUR'

interface UserPlace {
  readonly key: PurposeKey<'access'>
  readonly tenant: TenantId
  /** The token of the user. */
  readonly user: string
}

/** The patients that a user opened by break-glass within the hour of the clock, as one read found them. */
export class OpenedPatients {
  readonly #parts: GrantWriteParts & UserPlace
  readonly #sealed: Uint8Array | undefined
  readonly #hour: number
  readonly #patients: ReadonlySet<string>
  readonly #grants: number

  /**
   * A count that does not open is reported and counts as empty: damage never prevents emergency access.
   *
   * @throws StoreUnavailable, KeyUnavailable
   */
  static async read(parts: GrantWriteParts & UserPlace, now: Instant, signal: AbortSignal): Promise<OpenedPatients> {
    const place = hourPlace(parts.tenant, parts.user)
    return new OpenedPatients(parts, (await parts.table.items([place], signal))(place), now)
  }

  private constructor(parts: GrantWriteParts & UserPlace, sealed: Uint8Array | undefined, now: Instant) {
    this.#parts = parts
    this.#sealed = sealed
    const hour = hourNumber(now)
    const stored = this.#opened()
    // the clock of another process may already be in the next hour
    const isCurrent = stored !== undefined && (stored.hour === hour || stored.hour === hour + 1)
    this.#hour = isCurrent ? stored.hour : hour
    this.#patients = new Set(isCurrent ? stored.patients : [])
    this.#grants = isCurrent ? stored.grants : 0
  }

  /** Whether the user may open this patient too. A patient that was opened in this hour does not count again. */
  hasRoomFor(patient: PatientId, max: number): boolean {
    if (this.#grants >= Math.max(MAX_GRANTS, max)) return false
    return this.#patients.has(patient) || this.#patients.size < max
  }

  /** Returns the write that counts a grant of the patient. It fails if the count changed in the meantime. */
  counting(patient: PatientId): BreakGlassWrite {
    const { table, key, tenant, user } = this.#parts
    const place = hourPlace(tenant, user)
    const patients = [...new Set([...this.#patients, patient])]
    const sealed = sealAccessItem(key, place, { hour: this.#hour, grants: this.#grants + 1, patients })
    return table.replace({ place, sealed }, this.#sealed)
  }

  #opened(): z.infer<typeof Content> | undefined {
    const { events, key, tenant, user } = this.#parts
    if (this.#sealed === undefined) return undefined
    try {
      return Content.parse(openAccessItem(key, hourPlace(tenant, user), this.#sealed))
    } catch (error) {
      if (!(error instanceof IntegrityFailure || error instanceof z.ZodError)) throw error
      events({ event: 'ACCESS_ITEM_FORGED', tenant, patient: NO_PATIENT, what: 'ALTERED' })
      return undefined
    }
  }
}
