/**
 * A number as its text, because a JavaScript number would change it: `1.10`, or 20 digits. `JSON.stringify` writes the text as it is.
 *
 * @source ECMA-262, JSON.rawJSON
 */
export interface ExactNumber {
  readonly rawJSON: string
}

/** The part of `JSON` that the library of TypeScript 6 does not declare. */
const { rawJSON, isRawJSON } = JSON as unknown as {
  readonly rawJSON: (text: string) => ExactNumber
  readonly isRawJSON: (value: unknown) => value is ExactNumber
}

/** @source RFC 8259, section 6 */
const NUMBER = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/

/** Whether a text is a number of JSON that a reader can hold, at least rounded. */
export function isNumberText(text: string): boolean {
  return NUMBER.test(text) && Number.isFinite(Number(text))
}

/** @param text a number of JSON: `isNumberText` */
export const exactNumber = (text: string): ExactNumber => rawJSON(text)

export const isExactNumber = (value: unknown): value is ExactNumber => isRawJSON(value)
