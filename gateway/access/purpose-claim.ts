import * as z from 'zod'
import { PURPOSES_OF_USE, type PurposeOfUse } from '../../directives/policy.ts'
import { isObject, own } from './claim-value.ts'

/** Maps values of the purpose claim to purposes of use. */
export const PurposeNames = z.record(z.string().min(1), z.enum(PURPOSES_OF_USE))
type PurposeNames = z.infer<typeof PurposeNames>

const Values = z.array(z.unknown()).min(1)
const Names = z.array(
  z
    .string()
    .min(1)
    .max(128)
    .refine((text) => text.isWellFormed()),
)

/**
 * Reads the purposes of use that a token names. With `names`, values that are not in it are dropped.
 *
 * @param claim a value, or a list of them. A value is a text, or with `names` also an object with a system and a code
 * @returns undefined if the token has no such claim. An empty list if it names only purposes that are not in `names`
 * @throws ZodError if the claim is an empty list, or without `names` has a value that is no text
 */
export function purposesOf(claim: unknown, names: PurposeNames | undefined): readonly string[] | undefined {
  if (claim === undefined) return undefined
  const values = Values.parse([claim].flat())
  return names === undefined ? Names.parse(values) : values.flatMap((value) => mapped(value, names) ?? [])
}

function mapped(value: unknown, names: PurposeNames): PurposeOfUse | undefined {
  const name = isObject(value) ? codeText(value) : value
  return typeof name === 'string' ? own(names, name) : undefined
}

/** A code and its system in the form of FHIR searches: `http://terminology.hl7.org/CodeSystem/v3-ActReason|TREAT`. */
function codeText({ system, code }: Readonly<Record<string, unknown>>): string | undefined {
  // a bar in a code would give two pairs the same text
  if (typeof system !== 'string' || typeof code !== 'string' || code.includes('|')) return undefined
  return `${system}|${code}`
}
