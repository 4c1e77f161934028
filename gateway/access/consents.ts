import * as z from 'zod'
import type { ConsentsChange } from '../store/access.ts'
import type { Consent, ConsentChanges } from '../model/consent.ts'
import { IntegrityFailure } from '../model/failures.ts'
import type { PatientId, TenantId } from '../model/ids.ts'
import type { Json } from '../model/record.ts'
import type { ConsentAnswer, ConsentSource } from './attribute-loader.ts'
import { type PatientAccessParts, type PatientAccessRead, readPatientAccess } from './patient-access.ts'

const Content = z.array(
  z.strictObject({
    id: z.string(),
    effect: z.enum(['PERMIT', 'DENY']),
    labels: z.array(z.string()).optional(),
    actor: z.string().optional(),
    roles: z.array(z.string()).optional(),
    purposes: z.array(z.string()).optional(),
    records: z.array(z.string()).optional(),
    since: z.number().optional(),
    until: z.number().optional(),
    breakGlass: z.literal(true).optional(),
  }),
)

/**
 * The consents of patients, from their access manifests. Damage is reported as such and never as a shorter list, because the
 * missing consent may be a denial.
 */
export function storedConsents(parts: PatientAccessParts): ConsentSource {
  return {
    async consents(tenant, patients, { signal }) {
      const reads = await readPatientAccess(parts, tenant, new Map(patients.map((patient) => [patient, []])), signal)
      return new Map([...reads].map(([patient, read]) => [patient, answerOf(read)]))
    },
  }
}

function answerOf(read: PatientAccessRead): ConsentAnswer {
  if (read.kind === 'NO_MANIFEST') return 'NO_MANIFEST'
  const consents = read.kind === 'FOUND' ? consentsOf(read.access.consents) : undefined
  if (read.kind === 'FAULT' || consents === undefined) return 'TAMPERED'
  const { version, own, destroyed } = read.access
  const manifest = { version, ...(own !== undefined && { own }) }
  return { consents, manifest, ...(destroyed !== undefined && { erased: true }) }
}

const consentsOf = (stored: readonly Json[]): readonly Consent[] | undefined =>
  Content.safeParse(stored).data as readonly Consent[] | undefined

/** The consents of a patient that a change is made from. */
export interface StoredConsents {
  readonly consents: readonly Consent[]
  readonly stored: readonly Json[]
}

type ConsentParts = Pick<PatientAccessParts, 'keyring'> & { readonly access: PatientAccessParts['table'] }

/**
 * Reads the consents of a patient for a change. A patient without a manifest has none.
 *
 * @throws IntegrityFailure if the stored consents are not authentic; KeyUnavailable, StoreUnavailable
 */
export async function consentsOfPatient(
  { keyring, access }: ConsentParts,
  tenant: TenantId,
  patient: PatientId,
  signal?: AbortSignal,
): Promise<StoredConsents> {
  const read = (await readPatientAccess({ table: access, keyring }, tenant, new Map([[patient, []]]), signal)).get(patient)
  const stored = read?.kind === 'FOUND' ? read.access.consents : []
  const consents = consentsOf(stored)
  if (read?.kind === 'FAULT' || consents === undefined) throw new IntegrityFailure()
  return { consents, stored }
}

/**
 * Returns the change from the stored consents to the new ones; undefined if nothing changes. It may replace only the consents
 * that it was made from, so that a denial that another writer stored in the meantime is not lost.
 */
export function changedConsents(
  patient: PatientId,
  { consents: before, stored }: StoredConsents,
  changes: ConsentChanges,
): ConsentsChange | undefined {
  const after = changed(before, changes)
  if (JSON.stringify(after) === JSON.stringify(changed(before, { given: [], withdrawn: [] }))) return undefined
  return { kind: 'CONSENTS', patient, consents: after as unknown as readonly Json[], before: stored }
}

/** The change of consents of an import. @throws as `consentsOfPatient` */
export async function consentsChange(
  parts: ConsentParts,
  tenant: TenantId,
  patient: PatientId,
  changes: ConsentChanges,
): Promise<ConsentsChange | undefined> {
  return changedConsents(patient, await consentsOfPatient(parts, tenant, patient), changes)
}

/** Applies the changes and sorts by id. A given consent replaces the consents of the same statement. */
function changed(before: readonly Consent[], { given, withdrawn }: ConsentChanges): readonly Consent[] {
  // a statement has one or more consents, and its new version may have fewer
  const replaced = new Set([...withdrawn, ...given.map(({ id }) => statementOf(id))])
  const after = new Map(before.filter(({ id }) => !replaced.has(statementOf(id))).map((consent) => [consent.id, consent]))
  for (const consent of given) after.set(consent.id, consent)
  return [...after.values()].toSorted((a, b) => (a.id < b.id ? -1 : 1)).map(withSortedMembers)
}

/** The consent `X.2` is a part of the statement `X`. */
export const statementOf = (id: string): string => id.split('.', 1)[0] ?? id

/** Sorts the members, so that equal consents have the same JSON text. */
const withSortedMembers = (consent: Consent): Consent =>
  Object.fromEntries(
    Object.entries(consent)
      .filter(([, value]) => value !== undefined)
      .toSorted(([a], [b]) => (a < b ? -1 : 1)),
  ) as unknown as Consent
