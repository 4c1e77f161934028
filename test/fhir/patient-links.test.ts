import { describe, expect, it } from 'vitest'
import type { RecordMetadata } from '../../gateway/model/record.ts'
import { bundle, idFor, map, patient, reasonsOf, recordsOf, type Resource } from './clinic.ts'

const [ADA, BEA] = [idFor('Patient', 'ada'), idFor('Patient', 'bea')]
const bea = (changes: Record<string, unknown> = {}): Resource => patient({ id: 'bea', ...changes })
const link = (type: string, reference: string) => ({ link: [{ type, other: { reference } }] })

/** The links of ada and of bea. */
function linksOf(...resources: readonly Resource[]) {
  const mapped = map(bundle(...resources))
  const metadata = new Map(recordsOf(mapped, 'Patient').map((record): [string, RecordMetadata] => [record.ref.id, record.metadata]))
  const linksAt = (id: string) => [metadata.get(id)?.replacedBy, metadata.get(id)?.replaces]
  return { ada: linksAt(ADA), bea: linksAt(BEA), mapped }
}

describe('a patient record that another one replaces', () => {
  it.each([
    ['replaced-by', [patient(link('replaced-by', 'Patient/bea')), bea()]],
    ['replaces', [patient(), bea(link('replaces', 'Patient/ada'))]],
    ['both', [patient(link('replaced-by', 'Patient/bea')), bea(link('replaces', 'Patient/ada'))]],
    ['both, the surviving record first', [bea(link('replaces', 'Patient/ada')), patient(link('replaced-by', 'Patient/bea'))]],
  ])('is linked on both sides: %s', (_name, resources) => {
    const { ada, bea: surviving, mapped } = linksOf(...resources)
    expect([ada, surviving]).toEqual([
      [BEA, undefined],
      [undefined, [ADA]],
    ])
    expect(mapped.replaced).toEqual([{ patient: ADA, by: BEA }])
  })

  it('is linked to a record outside of the bundle, and is an issue', () => {
    const { ada, mapped } = linksOf(patient(link('replaced-by', 'Patient/bea')))
    expect(ada).toEqual([BEA, undefined])
    expect(reasonsOf(mapped)).toEqual([expect.stringMatching(/^Patient\.link: replaced by/)])
  })

  it('has no link if two records replace it, or if the link leads nowhere', () => {
    const both = { link: ['bea', 'cleo'].map((id) => ({ type: 'replaced-by', other: { reference: `Patient/${id}` } })) }
    expect(linksOf(patient(both), bea()).ada).toEqual([undefined, undefined])
    const { ada, mapped } = linksOf(patient({ link: [{ type: 'replaced-by', other: { display: 'somebody' } }] }))
    expect(ada).toEqual([undefined, undefined])
    expect(reasonsOf(mapped)).toContain('Patient.link.other: does not lead to one resource')
  })

  it('is an issue if it is not active and names no other record', () => {
    expect(reasonsOf(map(bundle(patient({ active: false }))))).toEqual([expect.stringMatching(/^Patient\.active: not in use/)])
    expect(reasonsOf(map(bundle(patient({ active: true }))))).toEqual([])
  })

  it('changes the source of both records, so that the next import stores a new link', () => {
    const sourceOf = (...resources: readonly Resource[]) =>
      recordsOf(map(bundle(...resources)), 'Patient').map(({ metadata }) => metadata.source)
    const [, before] = sourceOf(patient(), bea())
    const [, after] = sourceOf(patient(link('replaced-by', 'Patient/bea')), bea())
    expect(after).not.toBe(before)
  })

  it.each(['refer', 'seealso'])('is not one that has a link of the type %s', (type) => {
    const { ada, bea: second, mapped } = linksOf(patient(link(type, 'Patient/bea')), bea())
    expect([ada, second, mapped.replaced]).toEqual([[undefined, undefined], [undefined, undefined], []])
  })
})

it('a link of a type that R4 does not have refuses its patient', () => {
  for (const type of ['replace', 'merged', '']) {
    const mapped = map(bundle(patient({ link: [{ type, other: { reference: 'Patient/bob' } }] }), patient({ id: 'bob' })))
    expect(reasonsOf(mapped)).toEqual(['Patient.link[0].type: not a code of its value set'])
    expect(mapped.patients).toHaveLength(1)
  }
})
