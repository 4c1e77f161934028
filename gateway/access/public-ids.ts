import type { Pseudonyms } from '../crypto/pseudonym.ts'
import type { SchemaPath } from '../../directives/coordinates.ts'
import type { RecordRef } from '../model/ids.ts'
import { decodeNodeId, encodeNodeId } from '../model/node-id.ts'

/** The ids that a caller receives and sends. All ids pass through this interface, so that a researcher never receives a node id. */
export interface PublicIds {
  encode(ref: RecordRef): string
  /** Returns the record of an id; undefined if the text is not an id for this caller. */
  decode(text: string): RecordRef | undefined
  /** Returns the value of a field in the view PSEUDONYM; null without a study. */
  standIn(ref: RecordRef, path: SchemaPath): string | null
  /**
   * Returns additional bounds of cursors: a cursor of one study is not valid in another.
   *
   * @throws the failure that `unknownIds` received
   */
  bound(): readonly string[]
}

export const NODE_IDS: PublicIds = { encode: encodeNodeId, decode: decodeNodeId, standIn: () => null, bound: () => [] }

/** A record would be disclosed to a researcher without a study, which is a fault of the gateway. */
class NoStudy extends Error {
  override readonly name = 'NoStudy'
}

/** The ids of a researcher without a study: they receive no id, and each id that they send is unknown. */
export const NO_IDS: PublicIds = {
  encode: () => {
    throw new NoStudy()
  },
  decode: () => undefined,
  standIn: () => null,
  bound: () => [],
}

/** The ids of a researcher if the studies could not be loaded: their cursors cannot be checked. */
export const unknownIds = (failure: Error): PublicIds => ({
  ...NO_IDS,
  bound: () => {
    throw failure
  },
})

/** The ids of a researcher under a study: only pseudonyms of that study. */
export const studyIds = (pseudonyms: Pseudonyms, protocol: string): PublicIds => ({
  encode: (ref) => pseudonyms.seal(ref),
  decode: (text) => pseudonyms.open(text),
  standIn: (ref, path) => pseudonyms.standIn(ref, path),
  bound: () => [protocol],
})
