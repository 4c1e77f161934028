import { readdirSync, readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { agrees, type Clinic, openClinic } from './agreement.ts'
import { rulesOf } from './plain-rules.ts'
import { READABLE } from './readable.ts'

let clinic: Clinic

beforeAll(async () => {
  clinic = await openClinic()
})
afterAll(() => clinic.running.stop())

/** Longer than any run, because a failing example is minimized before it is reported. */
const PATIENCE_MS = 300_000

describe('answers to generated questions equal the prediction from rules and data', () => {
  it(
    'P1 P3 P4 P5 P9 P11 P12: disclosed, masked, denied, absent, counted and audited alike',
    async () => {
      const met = await agrees(clinic, rulesOf(READABLE))
      expect([...met.keys()]).toEqual(
        expect.arrayContaining([
          'READ DISCLOSED',
          'READ MASKED LAST4',
          'READ MASKED YEAR',
          'READ MASKED ZIP3',
          'READ ABSENT',
          'READ DENIED ROLE',
          'READ DENIED PURPOSE',
          'READ DENIED RELATIONSHIP',
          'READ DENIED NOT_FOUND',
          'SEARCH DENIED ROLE',
        ]),
      )
    },
    PATIENCE_MS,
  )
})

describe('the oracle', () => {
  // shared code would make the same mistake in both
  it.each(['oracle.ts', 'plain-rules.ts', 'plain-schema.ts', 'plain-world.ts', 'readable.ts'])(
    "%s imports nothing of the gateway's decisions",
    (file) => {
      expect(readdirSync(import.meta.dirname)).toContain(file)
      const source = readFileSync(new URL(file, import.meta.url), 'utf8')
      expect(source).not.toMatch(/from '(?:\.\.\/)+(?:directives\/(?!coordinates\.ts)|gateway\/(?!model\/)|resolvers\/)/)
    },
  )
})
