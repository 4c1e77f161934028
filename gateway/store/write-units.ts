import type { TransactWriteItem } from '@aws-sdk/client-dynamodb'
import type { SchemaPath, TypeName } from '../../directives/coordinates.ts'
import type { TimedAccess } from '../audit/entry.ts'
import { MAX_ACTIONS } from '../audit/submission.ts'
import type { IndexEntry } from '../crypto/sealed-index.ts'
import type { Instant, PatientId } from '../model/ids.ts'
import type { AccessChange, ConsentsChange, MembershipChange } from './access.ts'
import type { AccessWriter } from './access-writer.ts'
import type { IndexWriter } from './index-writer.ts'
import { chunksAfter } from './patient-index.ts'

/** The upper bound of one transaction, in bytes, with room for names and keys. */
const TRANSACTION_BYTES = 3_000_000
const ACCESS_AT_ONCE = 25
/** The length of a write's record in the audit besides its paths, at most, and the length at which an audit item is full. */
const AUDIT_RECORD_BYTES = 200
const AUDIT_ITEM_BYTES = 20_000
/** The index root, the access manifest, and the own record that names the manifest. */
const ROOTS = 3

/** Actions that must be stored together, and their audit records. */
export interface WriteUnit {
  /** The write of a record is the first one. */
  readonly items: readonly TransactWriteItem[]
  readonly access: readonly AccessChange[]
  readonly audit: readonly TimedAccess[]
  /** The patient's own record is first, then records by type and time. Memberships are last. */
  readonly order: string
  /** The version of the patient's own record, if the unit writes it. */
  readonly own?: number
  /** The new index entries of the records. */
  readonly entries: readonly { readonly type: TypeName; readonly entry: IndexEntry }[]
  readonly bytes: number
}

/** The writers of one patient's index and access manifest. */
export interface Writers {
  readonly index: IndexWriter
  readonly access: AccessWriter
}

/**
 * Returns the number of units, from the first, that one transaction holds with the roots and the chunks that they change. Records of
 * one type and time are together in the index, so that a transaction of them changes few chunks.
 */
export function fitting(units: readonly WriteUnit[], before: number, { index, access }: Writers): number {
  const touched = new Map<string, { count: number; added: number }>()
  const changes: AccessChange[] = []
  let actions = before + ROOTS
  let [bytes, auditBytes] = [0, 0]
  for (const [place, unit] of units.entries()) {
    for (const { type, entry } of unit.entries) {
      for (const { name, count } of index.touches(type, entry)) {
        touched.set(name, { count, added: (touched.get(name)?.added ?? 0) + 1 })
      }
    }
    const chunks = [...touched.values()].reduce((sum, { count, added }) => sum + chunksAfter(count, added), 0)
    changes.push(...unit.access)
    actions += unit.items.length
    bytes += unit.bytes
    auditBytes += unit.audit.reduce((sum, { paths = [] }) => sum + AUDIT_RECORD_BYTES + paths.join('","').length, 0)
    const all = actions + chunks + access.maxItems(changes) + Math.ceil(auditBytes / AUDIT_ITEM_BYTES)
    if (place > 0 && (all > MAX_ACTIONS || bytes > TRANSACTION_BYTES)) return place
  }
  return units.length
}

function chunked(items: readonly MembershipChange[]): readonly (readonly MembershipChange[])[] {
  const chunks: (readonly MembershipChange[])[] = []
  for (let start = 0; start < items.length; start += ACCESS_AT_ONCE) chunks.push(items.slice(start, start + ACCESS_AT_ONCE))
  return chunks
}

const isConsents = (change: AccessChange): change is ConsentsChange => change.kind === 'CONSENTS'
const bytesOf = (content: unknown): number => JSON.stringify(content).length

/** A change of memberships or consents has audit records of its own, whatever records come with it. */
export function accessUnits(patient: PatientId, access: readonly AccessChange[], at: Instant): WriteUnit[] {
  const units: WriteUnit[] = []
  for (const change of access.filter(isConsents)) {
    const path = 'Consent' as SchemaPath
    const audit: TimedAccess = { patient, path, action: 'UPDATE', outcome: 'WRITTEN', at }
    // before the records that it may be about
    units.push({ items: [], access: [change], audit: [audit], entries: [], order: '!', bytes: bytesOf(change.consents) })
  }
  const memberships = access.filter((change): change is MembershipChange => !isConsents(change))
  const chunks = [true, false].flatMap((ofStudies) => {
    const items = memberships.filter(({ kind }) => (kind === 'STUDY') === ofStudies)
    return chunked(items).map((chunk) => ({ chunk, path: ofStudies ? 'ResearchStudy' : 'Patient.careTeam' }))
  })
  for (const { chunk, path } of chunks) {
    units.push({
      items: [],
      access: chunk,
      audit: [
        {
          patient,
          path: path as SchemaPath,
          action: 'UPDATE',
          outcome: 'WRITTEN',
          at,
          count: chunk.length,
        },
      ],
      entries: [],
      order: '~',
      bytes: chunk.reduce((sum, { content }) => sum + bytesOf(content), 0),
    })
  }
  return units
}
