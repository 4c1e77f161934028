import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Arena, openArena } from '../../bench/arena.ts'
import { CONTESTANT_NAMES, type ContestantName } from '../../bench/contestant-names.ts'
import type { Driver } from '../../bench/driver.ts'
import { SCENARIOS } from '../../bench/scenarios.ts'

type Node = Readonly<Record<string, unknown>> & { readonly id: string }
interface Data {
  readonly patients?: { readonly edges: readonly { readonly node: Node }[] }
  readonly patient?: Node
}

/** A contestant that omits work would look fast. */
describe('the contestants of the bench', () => {
  let arena: Arena
  let drivers: readonly (readonly [ContestantName, Driver])[]

  beforeAll(async () => {
    arena = await openArena({ patients: 2 })
    drivers = await Promise.all(CONTESTANT_NAMES.map(async (name) => [name, await arena.open(name)] as const))
  })
  afterAll(async () => await arena.stop())

  /** The data of each answer, with the patients of a panel in the order of their ids. */
  async function answersTo(name: string): Promise<Map<ContestantName, Data>> {
    const scenario = SCENARIOS.find((one) => one.name === name)
    if (!scenario) throw new RangeError(`There is no scenario ${name}.`)
    const request = await arena.requestOf(scenario)
    const answers = new Map<ContestantName, Data>()
    for (const [contestant, driver] of drivers) {
      const { status, body } = await driver.ask(request)
      expect([contestant, status]).toEqual([contestant, 200])
      const { data } = JSON.parse(body) as { data: Data }
      const edges = data.patients?.edges.toSorted((a, b) => (a.node.id < b.node.id ? -1 : 1))
      answers.set(contestant, edges ? { patients: { edges } } : data)
    }
    return answers
  }

  it.each(['S2', 'S6'])('answer %s with the same values', async (name) => {
    const answers = await answersTo(name)
    const twin = answers.get('twin')
    expect(JSON.stringify(twin)).toContain('"familyName":"')
    for (const [contestant, data] of answers) expect([contestant, data]).toEqual([contestant, twin])
  })

  it('deny the same half of the fields in S3, except for the twin', async () => {
    const answers = await answersTo('S3')
    const [first] = answers.get('gateway')?.patients?.edges ?? []
    const denied = { phone: null, email: null, language: null, race: null }
    expect(first?.node).toMatchObject({ familyName: expect.any(String) as string, ...denied })
    for (const [contestant, data] of answers) if (contestant !== 'twin') expect(data).toEqual(answers.get('gateway'))
  })

  it('write an audit record before the answer, if they are protected', async () => {
    const scenario = SCENARIOS.find(({ name }) => name === 'S1')
    if (!scenario) throw new RangeError('There is no scenario S1.')
    const request = await arena.requestOf(scenario)
    for (const [contestant, driver] of drivers) {
      await arena.resetCounts()
      await driver.ask(request)
      const isAudited = !['twin', 'shield'].includes(contestant)
      expect([contestant, (await arena.counts()).writeUnits > 0]).toEqual([contestant, isAudited])
    }
  })
})
