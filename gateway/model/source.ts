import type { RecordId, RecordRef } from './ids.ts'
import type { Membership } from './record.ts'

/**
 * The version of a resource, as its source states it. A source may state neither part.
 *
 * @source https://hl7.org/fhir/R4/resource.html#Meta
 */
export interface SourceVersion {
  /** `meta.versionId`. Sources that count their versions use numbers; others use any text. */
  readonly versionId?: string
  /** `meta.lastUpdated` in UTC with nine digits after the second, so that texts compare as times. */
  readonly lastUpdated?: string
}

/**
 * The order of two versions of one resource. UNKNOWN: nothing orders them. CONTRADICTORY: the number and the time order them in opposite
 * ways.
 */
export type VersionOrder = 'NEWER' | 'OLDER' | 'EQUAL' | 'UNKNOWN' | 'CONTRADICTORY'

/** Returns whether the first version is newer or older than the second. */
export function compareVersions(one: SourceVersion, other: SourceVersion): VersionOrder {
  const orders = new Set([numberOrder(one.versionId, other.versionId), textOrder(one.lastUpdated, other.lastUpdated)])
  if (orders.has('NEWER')) return orders.has('OLDER') ? 'CONTRADICTORY' : 'NEWER'
  if (orders.has('OLDER')) return 'OLDER'
  return orders.has('EQUAL') && !orders.has('DIFFERENT') ? 'EQUAL' : 'UNKNOWN'
}

/** The later part of both versions. No version that is older than one of the two is newer than the result. */
export function latestOf(one: SourceVersion, other: SourceVersion): SourceVersion {
  const number = numberOrder(one.versionId, other.versionId)
  const versionId = number === 'OLDER' || one.versionId === undefined ? other.versionId : one.versionId
  const time = textOrder(one.lastUpdated, other.lastUpdated)
  const lastUpdated = time === 'OLDER' || one.lastUpdated === undefined ? other.lastUpdated : one.lastUpdated
  return { ...(versionId !== undefined && { versionId }), ...(lastUpdated !== undefined && { lastUpdated }) }
}

type PartOrder = Exclude<VersionOrder, 'CONTRADICTORY'> | 'DIFFERENT'

const NUMBER = /^\d{1,64}$/

function numberOrder(one: string | undefined, other: string | undefined): PartOrder {
  if (one === undefined || other === undefined) return 'UNKNOWN'
  if (one === other) return 'EQUAL'
  // versions that are no numbers have no order
  if (!NUMBER.test(one) || !NUMBER.test(other)) return 'DIFFERENT'
  const [first, second] = [BigInt(one), BigInt(other)]
  return first > second ? 'NEWER' : first < second ? 'OLDER' : 'EQUAL'
}

function textOrder(one: string | undefined, other: string | undefined): PartOrder {
  if (one === undefined || other === undefined) return 'UNKNOWN'
  return one > other ? 'NEWER' : one < other ? 'OLDER' : 'EQUAL'
}

/** A membership that one resource of the source gives. Without periods, it gives none. */
export type SourceMembership = Omit<Membership, 'patient'>

/**
 * A resource of the source in the version of an import, and the parts of the chart that follow from it. A resource without parts leaves
 * the chart.
 */
export interface SourceResource {
  readonly type: string
  /** The place of the entry in its bundle, from 0. */
  readonly entry: number
  /** The keyed hash of tenant, type and source id. It is the same whichever patient the resource belongs to. */
  readonly id: RecordId
  readonly version: SourceVersion
  /** SHA-256 (base64url) of the resource in canonical form; empty for a deletion. */
  readonly digest: string
  /** The records that follow from this resource alone. */
  readonly records: readonly RecordRef[]
  /** Records that other resources may give too: coverages that a claim contains. They stay as long as one resource gives them. */
  readonly shared: readonly RecordRef[]
  readonly memberships: readonly SourceMembership[]
  /** The identifiers by which a later import finds the patient. Only a patient's own resource has them. */
  readonly identifiers?: readonly SourceIdentifier[]
}

/** A business identifier of a patient, and the time for which it is valid. */
export interface SourceIdentifier {
  /** The keyed hash of tenant, system and value. */
  readonly id: RecordId
  /** ISO 8601 in UTC with milliseconds. Absent without a limit. */
  readonly since?: string
  /** The first instant at which the identifier is not valid any more. */
  readonly until?: string
}

/**
 * A resource that no chart has from now on. RETRACTED: its source withdrew or deleted it. UNREADABLE: its newest version cannot be mapped.
 * UNFILED: its patient is neither in the files nor stored, so that the resource stays as it is unless it changed.
 */
export interface WithdrawnResource extends Pick<SourceResource, 'type' | 'entry' | 'id' | 'version' | 'digest'> {
  readonly reason: 'RETRACTED' | 'UNREADABLE' | 'UNFILED'
}
