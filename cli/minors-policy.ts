import * as z from 'zod'
import type { MinorsPolicy } from '../gateway/model/minors.ts'

/** The file with the limits for parents of minors is invalid. The message repeats nothing of its content (P8). */
export class MinorsPolicyRefused extends Error {
  override readonly name = 'MinorsPolicyRefused'
  constructor() {
    super('The file of --minors is invalid. See docs/relationships.md for its format.')
  }
}

const CATEGORIES = [
  'IDENTITY',
  'DEMOGRAPHIC',
  'CONTACT',
  'CLINICAL',
  'MEDICATION',
  'LABORATORY',
  'NOTE',
  'COVERAGE',
  'FINANCIAL',
  'CARE_TEAM',
] as const

const age = z.int().min(0).max(100)
const Policy = z
  .strictObject({
    limitedFrom: age,
    until: age,
    scope: z.strictObject({ categories: z.array(z.enum(CATEGORIES)), labeled: z.boolean() }),
  })
  .refine(({ limitedFrom, until }) => limitedFrom <= until)

/**
 * Parses the file of `--minors`: JSON with ages in years.
 *
 * @throws MinorsPolicyRefused
 */
export function readMinorsPolicy(text: string): MinorsPolicy {
  try {
    return Policy.parse(JSON.parse(text))
  } catch {
    // without a cause, because the messages of parsers quote the text
    throw new MinorsPolicyRefused()
  }
}
