import * as z from 'zod'
import type { MinorsPolicy } from '../gateway/model/minors.ts'

/** A file that says how far parents act for minors, and cannot be read as one. Says nothing of what stands in it. */
export class MinorsPolicyRefused extends Error {
  override readonly name = 'MinorsPolicyRefused'
  constructor() {
    super('The ages and categories of minors are not readable: see docs/relationships.md for their form.')
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

/** @throws MinorsPolicyRefused */
export function readMinorsPolicy(text: string): MinorsPolicy {
  try {
    return Policy.parse(JSON.parse(text))
  } catch {
    // without the cause: parsers quote the text
    throw new MinorsPolicyRefused()
  }
}
