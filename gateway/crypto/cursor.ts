import { randomBytes } from 'node:crypto'
import { CURSOR_DETAIL } from '../model/limit-details.ts'
import { BadUserInput, IntegrityFailure } from '../model/failures.ts'
import type { Caller } from '../model/decision.ts'
import type { Coordinate } from '../../directives/coordinates.ts'
import type { PatientId } from '../model/ids.ts'
import type { Json } from '../model/record.ts'
import { sha256 } from './derive.ts'
import { ENVELOPE_FORMAT, envelopeKeyVersion, openEnvelope, sealEnvelope } from './envelope.ts'
import { canonicalText, fromPaddedText, toPaddedText } from './padded-text.ts'
import { lengthPrefixed, u32, type RandomBytes } from './parts.ts'
import type { PurposeKey } from './tenant-keys.ts'

/** Base64url characters. A position is a date and an id, so every cursor of ours is far shorter. */
const MAX_LENGTH = 2048

/** Everything that a cursor is bound to: caller, purpose, field, patient and filter. */
export interface CursorBound {
  readonly caller: Pick<Caller, 'tenant' | 'user' | 'purpose'>
  readonly coordinate: Coordinate
  readonly patient?: PatientId
  /** The arguments that select the entries of the list; compared by the digest of their canonical JSON. */
  readonly filter: Json
}

/**
 * Seals a list position as an opaque text, `docs/sealed-field.md` section 8. Without the seal, the end of a page would
 * reveal when something happened to a patient (P8).
 *
 * @throws ValueNotSealable
 */
export function sealCursor(
  key: PurposeKey<'cursor'>,
  bound: CursorBound,
  position: Json,
  random: RandomBytes = randomBytes,
): string {
  return sealEnvelope(key, cursorAad(bound, key.version), toPaddedText(position), random).toString('base64url')
}

/**
 * Returns the position of a cursor that `sealCursor` made for the same bound.
 *
 * @throws BadUserInput for any other text; the error is the same for every fault
 * @throws KeyUnavailable if the tenant's key is unavailable
 */
export function openCursor(key: PurposeKey<'cursor'>, bound: CursorBound, text: string): Json {
  try {
    const bytes = decoded(text)
    const version = envelopeKeyVersion(bytes)
    const openWith = key.byVersion(version)
    if (!openWith) throw new IntegrityFailure()
    return fromPaddedText(openEnvelope(openWith, cursorAad(bound, version), bytes))
  } catch (cause) {
    if (cause instanceof IntegrityFailure) throw new BadUserInput({ cause, detail: CURSOR_DETAIL })
    throw cause
  }
}

function decoded(text: string): Buffer {
  if (text.length > MAX_LENGTH) throw new IntegrityFailure()
  const bytes = Buffer.from(text, 'base64url')
  // Node skips characters outside base64url; the comparison leaves a cursor one valid spelling
  if (bytes.toString('base64url') !== text) throw new IntegrityFailure()
  return bytes
}

function cursorAad({ caller, coordinate, patient, filter }: CursorBound, keyVersion: number): Buffer {
  const { tenant, user, purpose } = caller
  const digest = sha256(canonicalText(filter))
  return lengthPrefixed(tenant, user, purpose, coordinate, patient ?? '', digest, u32(keyVersion), Buffer.of(ENVELOPE_FORMAT))
}
