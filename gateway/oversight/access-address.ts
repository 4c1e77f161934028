import type { RecordedAccess } from './recorded-access.ts'

/** The address of a record in the log of its tenant. */
export type AccessAddress = Pick<RecordedAccess, 'lane' | 'sequence' | 'index'>

/** A lane is base64url and numbers with dots. No registry of lanes and no lane of another tenant has such a name. */
const ADDRESS = /^([A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*)\/([1-9]\d{0,7})\/([1-9]\d{0,5})$/
const MAX_LENGTH = 96

/** `kakjK50G.1/12/3` */
export const addressText = ({ lane, sequence, index }: AccessAddress): string => `${lane}/${sequence}/${index}`

/** The address that a text names, or undefined if it names none. */
export function readAddress(text: string): AccessAddress | undefined {
  const [, lane, sequence, index] = text.length > MAX_LENGTH ? [] : (ADDRESS.exec(text) ?? [])
  return lane === undefined ? undefined : { lane, sequence: Number(sequence), index: Number(index) }
}
