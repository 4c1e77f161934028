import { describe, expect, it } from 'vitest'
import { compilePolicy, type CompiledPolicy } from '../../../directives/compile.ts'
import { PolicyFaults } from '../../../directives/fault.ts'
import { diffLocks } from '../../../directives/lock-diff.ts'
import { withoutFreeText } from '../../../gateway/disclosure/free-text.ts'
import type { SchemaPath } from '../../../directives/coordinates.ts'
import type { Json } from '../../../gateway/model/record.ts'
import { clinic } from '../decide/clinic-policy.ts'

function without(path: string, value: Json): Json {
  const inside = clinic.policy.freeText.get(path as SchemaPath)
  if (inside === undefined) throw new Error('no free text in it')
  return withoutFreeText(inside, value)
}

const HTTP = 'http://loinc.org'
const coded = { coding: [{ system: HTTP, code: '1', display: 'A name' }], text: 'as told by Mr. Moss' }
const bare = { coding: coded.coding }

describe('C18: free text is left out of a composite, at any depth', () => {
  it('of a concept, of a list of concepts, and of the parts of an observation', () => {
    expect(without('Condition.code', coded)).toEqual(bare)
    expect(without('AllergyIntolerance.reaction', [coded, coded])).toEqual([bare, bare])
    const amount = { value: 1, unit: 'mg', code: 'mg' }
    const part = { code: coded, valueQuantity: amount, valueString: '1970-01-02', valueCodeableConcept: coded }
    expect(without('Observation.component', [part])).toEqual([{ code: bare, valueQuantity: amount, valueCodeableConcept: bare }])
  })

  it.each<Json>([null, 'a text where a concept belongs', 7])('nothing is left of a value that is no composite (%j)', (value) => {
    expect(without('Condition.code', value)).toBeNull()
  })

  it('every composite of the clinic that holds a concept is known', () => {
    const paths = [...clinic.policy.freeText.keys()]
    expect(paths).toEqual(expect.arrayContaining(['Patient.maritalStatus', 'MedicationRequest.medication', 'Procedure.code']))
    expect(paths).not.toContain('Observation.valueQuantity')
  })
})

const schemaWith = (composite: string, field = ''): CompiledPolicy =>
  compilePolicy(
    [
      {
        name: 'free-text.graphql',
        sdl: `type Query { client(id: ID!): Client }
          type Client @record(patient: "id") { id: ID! @notPhi(because: "random")
            note: Note @phi(category: NOTE) @minimumNecessary(roles: [NURSE]) ${field} }
          ${composite}`,
      },
    ],
    { relationships: 'unchecked' },
  )

describe('P3: the schema marks free text', () => {
  it('a recursive type is marked at every depth, and its free text is left out at every depth', () => {
    const { policy, lock } = schemaWith('type Note { words: String @freeText code: String answers: [Note!] }')
    const inside = policy.freeText.get('Client.note' as SchemaPath)
    const note = { words: 'w', code: 'c', answers: [{ words: 'w', code: 'd', answers: [{ words: 'w' }] }] }
    expect(inside && withoutFreeText(inside, note)).toEqual({ code: 'c', answers: [{ code: 'd', answers: [{}] }] })
    expect(lock).toContain('freeText=words')
  })

  it('the mark belongs on a text inside a composite; anywhere else the schema does not compile', () => {
    expect(() => schemaWith('type Note { code: Inner @freeText } type Inner { code: String }')).toThrow(PolicyFaults)
    const field = 'mrn: String @freeText @phi(category: IDENTITY) @minimumNecessary(roles: [NURSE])'
    expect(() => schemaWith('type Note { code: String }', field)).toThrow(/@freeText/)
  })

  it('removing the mark widens access', () => {
    const [marked, plain] = ['@freeText', ''].map((mark) => schemaWith(`type Note { words: String ${mark} code: String }`).lock)
    expect(diffLocks(marked ?? '', plain ?? '').widened).toMatchObject([{ subject: 'Client.note' }])
    expect(diffLocks(plain ?? '', marked ?? '').narrowed).toHaveLength(1)
  })
})
