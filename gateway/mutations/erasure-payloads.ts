import type { SchemaPath, TypeName } from '../../directives/coordinates.ts'
import type { PublicIds } from '../access/public-ids.ts'
import type { Instant, PatientId, RecordId } from '../model/ids.ts'
import type { LegalHold, StoredErasure } from '../store/erasure-file.ts'

export const ERASURE = 'Erasure' as TypeName
export const LEGAL_HOLD = 'LegalHold' as TypeName
/** The path of erasures and holds in the audit. No path of a schema begins with `#`. */
export const ERASURE_PATH = '#erasure' as SchemaPath
export const HOLD_PATH = '#legal-hold' as SchemaPath

/** Why an erasure was refused. `erasableFrom` belongs to RETENTION, in milliseconds since the epoch. */
export type ErasureRefusal =
  | { readonly refusal: 'RETENTION'; readonly erasableFrom: Instant }
  | { readonly refusal: 'LEGAL_HOLD' | 'NO_RETENTION_RULE' | 'NO_DATE' | 'SAME_PERSON' | 'EXPIRED' }

/** An erasure in the API, type `Erasure`. Times are RFC 3339. */
export interface ErasurePayload {
  readonly id?: string
  readonly patientId: string
  readonly state: 'REFUSED' | 'REQUESTED' | 'EXPIRED' | 'APPROVED' | 'ERASED'
  readonly refusal?: ErasureRefusal['refusal']
  readonly erasableFrom?: string
  readonly reason?: string
  readonly requestedBy?: string
  readonly requestedAt?: string
  readonly expiresAt?: string
  readonly approvedBy?: string
  readonly erasedAt?: string
  readonly completeAt?: string
  readonly certificate?: string
  readonly certificateRequestId?: string
}

/** A hold in the API, type `LegalHold`. */
export interface HoldPayload {
  readonly id: string
  readonly patientId: string
  readonly reason?: string
  readonly placedBy: string
  readonly placedAt: string
  readonly released: boolean
}

/** What a payload is made of. */
interface ShownErasure {
  readonly patientId: string
  readonly patient: PatientId
  readonly now: Instant
  /** Undefined for a refused request. */
  readonly erasure: StoredErasure | undefined
  readonly refused?: ErasureRefusal | undefined
  readonly withReason?: true
}

export function erasurePayload(
  ids: PublicIds,
  { patientId, patient, now, erasure, refused, withReason }: ShownErasure,
): ErasurePayload {
  const refusal = {
    ...(refused && { refusal: refused.refusal }),
    ...(refused?.refusal === 'RETENTION' && { erasableFrom: timeText(refused.erasableFrom) }),
  }
  if (erasure === undefined) return { patientId, state: 'REFUSED', ...refusal }
  const { id, reason, requested, until, approved, erased } = erasure
  return {
    id: ids.encode({ type: ERASURE, patient, id: id as RecordId }),
    patientId,
    state: stateOf(erasure, now),
    ...refusal,
    ...(withReason && reason !== undefined && { reason }),
    requestedBy: requested.by,
    requestedAt: timeText(requested.at),
    expiresAt: timeText(until),
    ...(approved && { approvedBy: approved.by }),
    ...(erased && {
      erasedAt: timeText(erased.at),
      completeAt: timeText(erased.completeAt),
      certificate: erased.statement,
      certificateRequestId: erased.requestId,
    }),
  }
}

export function stateOf({ until, approved, erased }: StoredErasure, now: Instant): 'REQUESTED' | 'EXPIRED' | 'APPROVED' | 'ERASED' {
  if (erased !== undefined) return 'ERASED'
  if (approved !== undefined) return 'APPROVED'
  return until <= now ? 'EXPIRED' : 'REQUESTED'
}

export const holdPayload = (
  ids: PublicIds,
  patient: PatientId,
  patientId: string,
  { id, act }: LegalHold,
  { released = false, reason }: { readonly released?: boolean; readonly reason?: string } = {},
): HoldPayload => ({
  id: ids.encode({ type: LEGAL_HOLD, patient, id: id as RecordId }),
  patientId,
  placedBy: act.by,
  placedAt: timeText(act.at),
  released,
  ...(reason !== undefined && { reason }),
})

const timeText = (time: number): string => new Date(time).toISOString()
