import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Consent } from '../../../gateway/model/consent.ts'
import { StoreUnavailable } from '../../../gateway/model/failures.ts'
import type { Sensitivity } from '../../../directives/policy.ts'
import { type RunningClinic, runClinic } from '../../harness/running-clinic.ts'
import { at, nodesAt } from '../asking.ts'
import { admit, BREAK, CHART, END, openWard, type Ward } from './break-glass-ward.ts'

const MINUTE = 60_000
const USERS = ['physician', 'nurse'] as const
const LABELS = [[], ['PSY'], ['ETH'], ['PSY', 'ETH'], ['PSYTHPN'], ['HIV', 'PSYTHPN']] as const
type User = (typeof USERS)[number]

const CONSENTS: Readonly<Record<string, readonly Consent[] | 'AWAY'>> = {
  nothing: [],
  away: 'AWAY',
  permitEth: [{ id: 'a', effect: 'PERMIT', labels: ['ETH'] as readonly string[] as Sensitivity[] }],
  permitBoth: [{ id: 'b', effect: 'PERMIT', labels: ['ETH', 'PSYTHPN'] as readonly string[] as Sensitivity[] }],
  denyPsy: [{ id: 'c', effect: 'DENY', labels: ['PSY'] as readonly string[] as Sensitivity[] }],
  denyAll: [{ id: 'd', effect: 'DENY' }],
}

type Step =
  | { readonly act: 'BREAK'; readonly user: User; readonly patient: number; readonly minutes: number }
  | { readonly act: 'END'; readonly user: User; readonly of: number }
  | { readonly act: 'WAIT'; readonly minutes: number }
  | { readonly act: 'CONSENT'; readonly says: string }

const user = fc.constantFrom(...USERS)
const patient = fc.constantFrom(0, 1)
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({ act: fc.constant('BREAK' as const), user, patient, minutes: fc.constantFrom(1, 10, 60, 240) }),
  },
  fc.record({ act: fc.constant('END' as const), user, of: fc.nat(3) }),
  fc.record({ act: fc.constant('WAIT' as const), minutes: fc.constantFrom(1, 9, 30) }),
  fc.record({ act: fc.constant('CONSENT' as const), says: fc.constantFrom(...Object.keys(CONSENTS)) }),
)

/**
 * A model of break-glass, independent of the deciding code: the open grants and their ends, and the conditions that each consent
 * leaves visible.
 */
class Model {
  minute = 0
  says = 'nothing'
  readonly made: { user: User; patient: number; since: number; until: number; ended: boolean; id: string }[] = []

  /** Returns whether the grant is a new one. */
  broke({ user, patient, minutes, id }: { user: User; patient: number; minutes: number; id: string }): boolean {
    const open = this.#open(user, patient)
    const until = this.minute + minutes
    if (open === undefined) this.made.push({ user, patient, since: this.minute, until, ended: false, id })
    else open.until = Math.max(open.until, Math.min(until, open.since + 240))
    return open === undefined
  }

  isOpen(by: User, of: number): boolean {
    return this.#open(by, of) !== undefined
  }

  #open(by: User, of: number): Model['made'][number] | undefined {
    return this.made.find((one) => one.user === by && one.patient === of && !one.ended && this.minute < one.until)
  }

  chart(by: User, of: number): string[] {
    if (!this.isOpen(by, of) || this.says === 'denyAll') return []
    const hidden: Record<string, string[]> = {
      nothing: ['ETH'],
      away: ['ETH'],
      permitEth: [],
      permitBoth: [],
      denyPsy: ['PSY', 'ETH'],
    }
    const closed = ['PSYTHPN', ...(hidden[this.says] ?? [])]
    return LABELS.filter((labels) => !labels.some((label) => closed.includes(label))).map((labels) => labels.join(' '))
  }
}

let clinic: RunningClinic
let ward: Ward
let patients: readonly string[]
let ahead = 0
let says: readonly Consent[] | 'AWAY' = []

beforeAll(async () => {
  clinic = await runClinic({ riverside: 1, lakeside: 1 })
  patients = [await admit(clinic, 'Model-one', LABELS), await admit(clinic, 'Model-two', LABELS)]
  // only the steps of the test advance this clock
  const start = Date.now()
  const { services } = await clinic.another({ now: () => start + ahead })
  ward = await openWard(clinic, services, {
    consents: (_tenant, asked) =>
      says === 'AWAY'
        ? Promise.reject(new StoreUnavailable())
        : Promise.resolve(new Map(asked.map((one) => [one, says as Consent[]]))),
  })
})
afterAll(async () => {
  await ward.stop()
  await clinic.stop()
})

const chartOf = async (by: User, of: number, purpose: string): Promise<string[]> => {
  const { data } = await ward.ask(by, CHART, { id: patients[of] }, purpose)
  return nodesAt(data, 'patient', 'conditions')
    .flatMap((node) => (node === null ? [] : [String(at(node, 'code', 'text'))]))
    .toSorted()
}

describe('C02: break-glass behaves like its model', () => {
  it('shows each user the chart of the model after any steps in any order, and nothing for another purpose', async () => {
    let shown = 0
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 6 }), async (steps) => {
        // all grants of earlier runs have ended by now
        ahead += 300 * MINUTE
        const began = ahead
        const model = new Model()
        says = []
        for (const one of steps) {
          if (one.act === 'BREAK') {
            const { data } = await ward.ask(one.user, BREAK, { id: patients[one.patient], minutes: one.minutes })
            const id = String(at(data, 'breakGlass', 'id'))
            const isNew = model.broke({ user: one.user, patient: one.patient, minutes: one.minutes, id })
            expect(model.made.filter((made) => made.id === id)).toHaveLength(1)
            if (isNew) expect(model.made.at(-1)?.id).toBe(id)
          } else if (one.act === 'END') {
            const target = model.made[one.of]
            if (target === undefined) continue
            await ward.ask(one.user, END, { id: target.id })
            if (target.user === one.user) target.ended = true
          } else if (one.act === 'WAIT') {
            model.minute += one.minutes
            ahead = began + model.minute * MINUTE
          } else {
            model.says = one.says
            says = CONSENTS[one.says] ?? []
          }
        }
        for (const by of USERS) {
          for (const of of [0, 1]) {
            const expected = model.chart(by, of).toSorted()
            shown += expected.length
            expect(await chartOf(by, of, 'BTG')).toEqual(expected)
            expect(await chartOf(by, of, 'TREAT')).toEqual([])
          }
        }
      }),
      { numRuns: 25 },
    )
    // a model without any open grant would agree with a gateway that opens nothing
    expect(shown).toBeGreaterThan(20)
  })
})
