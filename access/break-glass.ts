import { randomBytes } from 'node:crypto'
import * as z from 'zod'
import { accessDigest, type AccessRoot, openAccessRoot, sealAccessRoot } from '../crypto/access-root.ts'
import { openAccessItem, sealAccessItem } from '../crypto/access-seal.ts'
import type { Keyring } from '../crypto/keyring.ts'
import type { UseKey } from '../crypto/tenant-keys.ts'
import { userToken } from '../crypto/tokens.ts'
import {
  type BreakGlassTable,
  type GlassItem,
  glassPlace,
  glassRootPlace,
  type LoadedGlass,
  reviewPlace,
} from '../store/break-glass.ts'
import type { Deadline } from '../vocabulary/deadline.ts'
import type { Caller, Emergency } from '../vocabulary/decision.ts'
import type { AccessFault, EventSink } from '../vocabulary/events.ts'
import { IntegrityFailure } from '../vocabulary/failures.ts'
import type { Instant, PatientId, TenantId } from '../vocabulary/ids.ts'
import type { Clock, Json } from '../vocabulary/record.ts'
import type { EmergencyActs, EmergencyGrant, PreparedGrant } from './emergency-acts.ts'
import type { EmergencySource } from './patient-facts.ts'

export interface BreakGlassParts {
  readonly table: BreakGlassTable
  readonly keyring: Keyring
  /** Whether the tenant has such a patient. @throws StoreUnavailable */
  readonly exists: (tenant: TenantId, patient: PatientId, deadline: Deadline) => Promise<boolean>
  readonly events: EventSink
  readonly now: Clock
  /** The longest that a glass stays broken, in minutes. */
  readonly mostMinutes: number
}

const Content = z.object({
  id: z.string(),
  patient: z.string(),
  user: z.string(),
  reason: z.string(),
  since: z.number(),
  until: z.number(),
  ended: z.number().optional(),
})
/** A grant as it is kept: for its holder, and for who reviews it. */
type Kept = z.infer<typeof Content>

/** What was read of one user and patient, and what it means. */
interface Reading {
  readonly key: UseKey<'access'>
  readonly user: string
  readonly loaded: LoadedGlass
  /** By patient: the newest grant, or what is wrong with it. Those without any are left out. */
  readonly known: ReadonlyMap<PatientId, Kept | AccessFault>
}

/** A write between the reads of an item and of the root that lists it looks like tampering once; what stays so is no write. */
const READS = 3
const MINUTE_MS = 60_000
const ID_BYTES = 16

/**
 * Break-glass (45 CFR 164.312(a)(2)(ii)): grants of one patient to one user for a limited time, in a table of their own, so that
 * an emergency waits neither for the memberships nor for the consents.
 *
 * Items are sealed for their place, and the patient's sealed root lists the newest grant of each user by its digest: a writer
 * of the database can make none, prolong none, and put none back that was ended. What does not fit opens nothing and is told
 * to operators.
 */
export function breakGlassGrants({ table, keyring, exists, events, now: clock, mostMinutes }: BreakGlassParts): EmergencySource {
  const read = async ({ tenant, user: name }: Caller, patients: readonly PatientId[], deadline: Deadline): Promise<Reading> => {
    const [key, lookup] = await Promise.all([keyring.useKey(tenant, 'access'), keyring.useKey(tenant, 'lookup')])
    const user = userToken(lookup, name)
    const known = new Map<PatientId, Kept | AccessFault>()
    const roots = new Map<PatientId, Uint8Array>()
    const items = new Map<PatientId, Uint8Array>()
    let pending = patients
    for (let attempt = 1; pending.length > 0; attempt++) {
      const loaded = await table.load(tenant, user, pending, deadline.signal)
      const doubtful: PatientId[] = []
      for (const patient of pending) {
        const [root, item] = [loaded.roots.get(patient), loaded.items.get(patient)]
        const found = knownOf(key, { tenant, patient, user }, root, item)
        if (typeof found === 'string' && attempt < READS) {
          doubtful.push(patient)
          continue
        }
        if (typeof found === 'string') events({ event: 'ACCESS_ITEM_FORGED', tenant, patient, what: found })
        if (root !== undefined) roots.set(patient, root)
        if (item !== undefined) items.set(patient, item)
        if (found !== undefined) known.set(patient, found)
      }
      pending = doubtful
    }
    return { key, user, loaded: { roots, items }, known }
  }

  /** The items of a grant and of what it replaces, with the root that lists it. */
  const prepare = (tenant: TenantId, { key, user, loaded }: Reading, kept: Kept, ...ended: readonly Kept[]): PreparedGrant => {
    const patient = kept.patient as PatientId
    const seal = (place: GlassItem['place'], content: Kept): GlassItem => ({
      place,
      sealed: sealAccessItem(key, place, content as Json),
    })
    const item = seal(glassPlace(tenant, patient, user), kept)
    const review = [kept, ...ended].map((one) => seal(reviewPlace(tenant, one.since as Instant, one.id), one))
    const place = glassRootPlace(tenant, patient)
    const before = loaded.roots.get(patient)
    const { version, items } = rootOf(key, tenant, patient, before)
    const listed = new Map(items).set(item.place.sk, accessDigest(item.sealed))
    const root = { place, sealed: sealAccessRoot(key, place, { version: version + 1, items: listed }) }
    return { grant: grantOf(kept), items: table.write(root, before, [item, ...review]) }
  }

  const acts: EmergencyActs = {
    mostMinutes,
    async breaking(caller, { patient, reason, minutes }, now, deadline) {
      const { tenant, user } = caller
      const [isThere, reading] = await Promise.all([exists(tenant, patient, deadline), read(caller, [patient], deadline)])
      if (!isThere) return undefined
      const id = randomBytes(ID_BYTES).toString('base64url')
      const kept: Kept = { id, patient, user, reason, since: now, until: now + minutes * MINUTE_MS }
      const before = reading.known.get(patient)
      // what was tampered with is told of and written anew: it must not stand in the way of an emergency
      const replaced = before === undefined || typeof before === 'string' || !isOpen(before, now) ? [] : [{ ...before, ended: now }]
      return prepare(tenant, reading, kept, ...replaced)
    },
    async ending(caller, patient, id, now, deadline) {
      const reading = await read(caller, [patient], deadline)
      const kept = reading.known.get(patient)
      if (typeof kept === 'string') throw new IntegrityFailure()
      if (kept?.id !== id) return undefined
      if (!isOpen(kept, now)) return { grant: grantOf(kept), items: [] }
      return prepare(caller.tenant, reading, { ...kept, ended: now })
    },
  }

  return {
    acts,
    async emergencies(caller, patients, deadline) {
      const { known } = await read(caller, patients, deadline)
      const now = clock()
      const found = new Map<PatientId, Emergency>()
      for (const [patient, kept] of known) {
        if (typeof kept !== 'string' && isOpen(kept, now)) found.set(patient, { grant: kept.id, until: kept.until as Instant })
      }
      return found
    },
  }
}

/** What root and item together say: the grant, nothing where neither knows of one, or what is wrong. */
function knownOf(
  key: UseKey<'access'>,
  { tenant, patient, user }: { tenant: TenantId; patient: PatientId; user: string },
  root: Uint8Array | undefined,
  item: Uint8Array | undefined,
): Kept | AccessFault | undefined {
  const place = glassPlace(tenant, patient, user)
  if (root === undefined) return item === undefined ? undefined : 'ROOT_MISSING'
  try {
    const listed = openAccessRoot(key, glassRootPlace(tenant, patient), root).items.get(place.sk)
    if (listed === undefined) return item === undefined ? undefined : 'NOT_LISTED'
    if (item === undefined) return 'MISSING'
    if (accessDigest(item) !== listed) return 'ALTERED'
    const content = Content.safeParse(openAccessItem(key, place, item))
    return content.success ? content.data : 'ALTERED'
  } catch (error) {
    if (error instanceof IntegrityFailure) return 'ROOT_ALTERED'
    throw error
  }
}

/** The root as it is, or a new one where there is none that opens: all other grants of the patient are closed then. */
function rootOf(key: UseKey<'access'>, tenant: TenantId, patient: PatientId, sealed: Uint8Array | undefined): AccessRoot {
  const none: AccessRoot = { version: 0, items: new Map() }
  if (sealed === undefined) return none
  try {
    return openAccessRoot(key, glassRootPlace(tenant, patient), sealed)
  } catch (error) {
    if (error instanceof IntegrityFailure) return none
    throw error
  }
}

const isOpen = ({ until, ended }: Kept, now: number): boolean => ended === undefined && now < until

const grantOf = ({ id, patient, since, until, ended }: Kept): EmergencyGrant => ({
  id,
  patient: patient as PatientId,
  since: since as Instant,
  until: until as Instant,
  ...(ended !== undefined && { ended: ended as Instant }),
})
