import type { AccessKey } from '../store/access.ts'
import { membershipName } from '../store/access.ts'
import type { LocatedMembership, RecordLocator, StoredLocator } from '../store/record-locators.ts'
import type { PatientId, RecordId, RecordRef } from '../model/ids.ts'
import { recordKey } from '../model/ids.ts'
import type { MembershipPeriod } from '../model/record.ts'
import { latestOf, type SourceIdentifier, type SourceResource } from '../model/source.ts'

/** A membership that a resource gives, by its key in the access manifest. */
interface GivenMembership extends AccessKey {
  readonly fhirUser: string
  readonly periods: readonly MembershipPeriod[]
}

/** The parts of charts that follow from one resource. */
export interface SourceParts {
  readonly records: readonly RecordRef[]
  readonly shared: readonly RecordRef[]
  readonly members: readonly GivenMembership[]
  readonly consentOf?: PatientId
  readonly identifiers: readonly SourceIdentifier[]
}

export const NO_PARTS: SourceParts = { records: [], shared: [], members: [], identifiers: [] }

/** The change of one resource: its stored locator, and its parts from now on. */
export interface SourceChange {
  readonly resource: Pick<SourceResource, 'type' | 'id' | 'version' | 'digest'>
  readonly stored: StoredLocator | undefined
  readonly status: RecordLocator['status']
  /** A later import of the earlier text must not bring the resource back. */
  readonly isRetracted: boolean
  readonly next: SourceParts
}

/** The number of earlier digests that a retracted resource keeps. */
const MAX_FORMER = 8

/** The locator after a change. */
export function locatorAfter({ resource, stored, status, isRetracted, next }: SourceChange): RecordLocator {
  const before = stored?.locator
  const earlier = before === undefined ? [] : [...(before.status === 'CURRENT' ? [before.digest] : []), ...before.former]
  return {
    version: before === undefined ? resource.version : latestOf(resource.version, before.version),
    digest: resource.digest,
    status,
    records: next.records,
    shared: next.shared,
    members: next.members.flatMap((one) => (one.periods.length > 0 ? { patient: one.patient, name: membershipName(one) } : [])),
    ...(next.consentOf !== undefined && { consentOf: next.consentOf }),
    holders: [],
    identifiers: next.identifiers,
    former: isRetracted ? [...new Set(earlier)].slice(0, MAX_FORMER) : [],
  }
}

/**
 * The locator while a change is being written: it names the parts of both versions, so that an import that is interrupted leaves no part
 * that the next import does not know.
 */
export function locatorDuring(after: RecordLocator, before: RecordLocator): RecordLocator {
  return {
    ...after,
    records: distinct([...after.records, ...before.records], recordKey),
    shared: distinct([...after.shared, ...before.shared], recordKey),
    members: distinct([...after.members, ...before.members], memberKey),
  }
}

/** The parts of the stored version that the next version does not have. */
export function droppedParts({ stored, next }: SourceChange): Pick<RecordLocator, 'records' | 'shared' | 'members'> {
  const { records = [], shared = [], members = [] } = stored?.locator ?? {}
  const kept = new Set([...next.records, ...next.shared].map(recordKey))
  const given = new Set(next.members.map((one) => memberKey({ patient: one.patient, name: membershipName(one) })))
  return {
    records: records.filter((ref) => !kept.has(recordKey(ref))),
    shared: shared.filter((ref) => !kept.has(recordKey(ref))),
    members: members.filter((one) => !given.has(memberKey(one))),
  }
}

/** Whether the resource has been one record, and nothing else, in both versions. Its locator is then written with the record. */
export function onlyRecord({ stored, next }: SourceChange): Pick<RecordRef, 'type' | 'id'> | undefined {
  const before = stored?.locator
  const all = [...next.records, ...(before?.records ?? [])]
  const others = [next.shared, next.members, before?.shared ?? [], before?.members ?? []].some(({ length }) => length > 0)
  const [first] = all
  if (first === undefined || others || next.consentOf !== undefined || before?.consentOf !== undefined) return undefined
  return all.every(({ type, id }) => type === first.type && id === first.id) ? first : undefined
}

const EMPTY: Omit<RecordLocator, 'status'> = {
  version: {},
  digest: '',
  records: [],
  shared: [],
  members: [],
  holders: [],
  identifiers: [],
  former: [],
}

/** The locator of a record that several resources give. */
export function sharedLocator(ref: RecordRef, holders: readonly RecordId[]): RecordLocator {
  const status = holders.length > 0 ? 'CURRENT' : 'WITHDRAWN'
  return { ...EMPTY, status, records: [ref], holders: [...holders].toSorted() }
}

/** The locator of an identifier. */
export const identifierLocator = (holders: readonly RecordId[]): RecordLocator => ({
  ...EMPTY,
  status: holders.length > 0 ? 'CURRENT' : 'WITHDRAWN',
  holders: [...holders].toSorted(),
})

export const sameLocator = (one: RecordLocator, other: RecordLocator): boolean => JSON.stringify(one) === JSON.stringify(other)

const memberKey = ({ patient, name }: LocatedMembership): string => `${patient} ${name}`

const distinct = <T>(all: readonly T[], keyOf: (one: T) => string): T[] => [
  ...new Map(all.map((one) => [keyOf(one), one])).values(),
]
