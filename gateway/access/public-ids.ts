import type { Pseudonyms } from '../crypto/pseudonym.ts'
import type { SchemaPath } from '../../directives/coordinates.ts'
import type { RecordRef } from '../model/ids.ts'
import { decodeNodeId, encodeNodeId } from '../model/node-id.ts'

/** The ids that one caller is given and may send: one seam for all of them, or a researcher would get a real one somewhere. */
export interface PublicIds {
  encode(ref: RecordRef): string
  /** The record that an id points to; undefined for what is no id of this caller's. */
  decode(text: string): RecordRef | undefined
  /** What the view PSEUDONYM shows of a field; null where there is no study whose pseudonym it could be. */
  standIn(ref: RecordRef, path: SchemaPath): string | null
  /** What cursors are bound to besides: a place in the list of one study is none in that of another. @throws what `unknownIds` was given */
  bound(): readonly string[]
}

export const NODE_IDS: PublicIds = { encode: encodeNodeId, decode: decodeNodeId, standIn: () => null, bound: () => [] }

/** Something was given to a researcher who acts under no study: a fault of the gateway. */
class NoStudy extends Error {
  override readonly name = 'NoStudy'
}

/** Of a researcher without a study: nothing is given to them, and no id of theirs leads anywhere. */
export const NO_IDS: PublicIds = {
  encode: () => {
    throw new NoStudy()
  },
  decode: () => undefined,
  standIn: () => null,
  bound: () => [],
}

/** Of a researcher whose study could not be found out: a cursor of theirs is neither good nor bad. */
export const unknownIds = (failure: Error): PublicIds => ({
  ...NO_IDS,
  bound: () => {
    throw failure
  },
})

/** Of a researcher under a study: pseudonyms of that study and nothing else. */
export const studyIds = (pseudonyms: Pseudonyms, protocol: string): PublicIds => ({
  encode: (ref) => pseudonyms.seal(ref),
  decode: (text) => pseudonyms.open(text),
  standIn: (ref, path) => pseudonyms.standIn(ref, path),
  bound: () => [protocol],
})
