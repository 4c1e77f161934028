import { describe, expect, it } from 'vitest'
import { LineRefused, recordOfLine } from '../../../gateway/admin/record-lines.ts'
import type { RecordId } from '../../../gateway/model/ids.ts'
import { clinic } from '../decide/clinic-policy.ts'
import { practice } from './practice-policy.ts'

const idFor = (type: string, sourceId: string): RecordId => `${type}(${sourceId})` as RecordId
const read = (line: unknown, compiled = practice) => recordOfLine(JSON.stringify(line), { compiled, idFor })

const DIGEST = expect.stringMatching(/^[\w-]{43}$/) as string

/** The message of a refusal. It has no cause, because the parser's own error quotes the line. */
function refusal(text: string, compiled = practice): string {
  try {
    recordOfLine(text, { compiled, idFor })
  } catch (error) {
    expect(error).toBeInstanceOf(LineRefused)
    expect((error as Error).cause).toBeUndefined()
    return (error as Error).message
  }
  throw new Error('It is not refused.')
}
const refused = (line: unknown, compiled = practice): string => refusal(JSON.stringify(line), compiled)

describe('a line of records', () => {
  it('is the record of a patient, whose id is that of the patient, with its memberships', () => {
    const line = {
      type: 'Patient',
      id: 'p-1',
      values: { familyName: 'Example', birthDate: '1980-04', phone: null },
      memberships: [{ user: 'Practitioner/therapist', relationship: 'CARE_TEAM' }],
    }
    expect(read(line)).toEqual({
      record: {
        ref: { type: 'Patient', patient: 'Patient(p-1)', id: 'Patient(p-1)' },
        values: new Map([
          ['Patient.familyName', 'Example'],
          ['Patient.birthDate', '1980-04'],
        ]),
        metadata: { open: {}, references: {}, source: DIGEST },
      },
      memberships: [{ patient: 'Patient(p-1)', relationship: 'CARE_TEAM', fhirUser: 'Practitioner/therapist', periods: [{}] }],
    })
  })

  it('is another record of a patient, with its date, codes, categories, labels and author', () => {
    const line = {
      type: 'Visit',
      id: 'v-1',
      patient: 'p-1',
      date: '2026-03',
      codes: ['a'],
      categories: ['b'],
      labels: ['HIV'],
      author: 'Practitioner/therapist',
      values: { reason: 'Knee' },
    }
    expect(read(line).record).toEqual({
      ref: { type: 'Visit', patient: 'Patient(p-1)', id: 'Visit(v-1)' },
      values: new Map([['Visit.reason', 'Knee']]),
      metadata: {
        open: {},
        references: {},
        date: '2026-03-01T00:00:00.000Z',
        datePrecision: 'MONTH',
        codes: ['a'],
        categories: ['b'],
        labels: ['HIV'],
        author: 'Practitioner/therapist',
        source: DIGEST,
      },
    })
  })

  it('has the id of a random UUID itself, and a derived one for any other text', () => {
    const uuid = '0c7d2f9e-5a41-4e0b-9c3d-1f2a3b4c5d6e'
    expect(read({ type: 'Visit', id: uuid.toUpperCase(), patient: uuid }).record.ref).toEqual({
      type: 'Visit',
      patient: 'DH0vnlpBTgucPR8qO0xdbg',
      id: 'DH0vnlpBTgucPR8qO0xdbg',
    })
    expect(read({ type: 'Visit', id: `${uuid} `, patient: 'constructor' }).record.ref).toEqual({
      type: 'Visit',
      patient: 'Patient(constructor)',
      id: `Visit(${uuid} )`,
    })
  })

  it('has a digest, which is that of an equal line only', () => {
    const line = { type: 'Visit', id: 'v', patient: 'p', date: '2026', values: { reason: 'a', note: 'b' } }
    const digestOf = (more: object): string | undefined => read({ ...line, ...more }).record.metadata.source
    expect(digestOf({ values: { note: 'b', reason: 'a' } })).toBe(digestOf({}))
    const changes = [{ values: { reason: 'a' } }, { values: { reason: 'b', note: 'a' } }, { labels: ['HIV'] }, { date: '2026-01' }]
    expect(new Set([{}, ...changes].map(digestOf)).size).toBe(5)
  })

  it.each([
    ['2026', '2026-01-01T00:00:00.000Z', 'YEAR'],
    ['2026-03-05', '2026-03-05T00:00:00.000Z', 'DAY'],
    ['2026-03-05T10:00:00+02:00', '2026-03-05T08:00:00.000Z', undefined],
  ])('has a date in UTC with its precision: %s', (text, date, datePrecision) => {
    const { metadata } = read({ type: 'Visit', id: 'v', patient: 'p', date: text }).record
    expect([metadata.date, metadata.datePrecision]).toEqual([date, datePrecision])
  })

  it('takes values of composites by their path, fields without PHI and references to records of the schema', () => {
    const patient = read({ type: 'Patient', id: 'p', values: { 'address.city': 'Riverside' } }, clinic)
    expect([...patient.record.values]).toEqual([['Patient.address.city', 'Riverside']])
    const line = { type: 'Observation', id: 'o', patient: 'p', references: { encounter: 'Encounter/e-1' }, open: { version: 1 } }
    expect(read(line, clinic).record.metadata).toEqual({
      open: { version: 1 },
      references: { encounter: 'Encounter(e-1)' },
      source: DIGEST,
    })
  })
})

const SECRET = 'Xavier-Secret'
const visit = { type: 'Visit', id: SECRET, patient: SECRET, values: { reason: SECRET } }

describe('a line is refused, and the message repeats nothing of it', () => {
  it.each([
    ['is no JSON', `{"type":"Visit","id":"${SECRET}`, 'The line is not JSON.'],
    ['is text', SECRET, 'The line is not JSON.'],
    ['is a JSON text', JSON.stringify(SECRET), /^The line: Invalid input: expected object/],
    ['is a list', '[]', /^The line: Invalid input: expected object/],
    ['is null', 'null', /^The line: Invalid input: expected object/],
    [
      'is nested too deep',
      `{"type":"Visit","id":"v","values":{"reason":${'['.repeat(20_000)}${']'.repeat(20_000)}}}`,
      'The line is not JSON.',
    ],
  ])('if it %s', (_, text, message) => {
    expect(refusal(text)).toMatch(message)
    expect(refusal(text)).not.toContain(SECRET)
  })

  it.each<[string, object, string | RegExp]>([
    ['has no type', { ...visit, type: undefined }, /^type: /],
    ['has a type that the schema lacks', { ...visit, type: SECRET }, 'Unknown type. The schema has the types Patient, Visit.'],
    ['has a type of every object', { ...visit, type: 'constructor' }, 'Unknown type. The schema has the types Patient, Visit.'],
    ['has a type that is no record', { ...visit, type: 'PageInfo' }, 'Unknown type. The schema has the types Patient, Visit.'],
    ['has an empty id', { ...visit, id: '' }, /^id: /],
    ['has a number as id', { ...visit, id: 7 }, /^id: /],
    ['has an id without end', { ...visit, id: SECRET.repeat(100) }, /^id: /],
    ['has no patient', { ...visit, patient: undefined }, 'Visit needs "patient", the id of its patient.'],
    ['is the patient, and has one', { ...visit, type: 'Patient', values: {} }, 'Patient is the patient: omit "patient".'],
    [
      'has an unknown member',
      { ...visit, [SECRET]: 1 },
      'The line has an unknown member. Its members are type, id, patient, values, open, references, date, codes, categories, labels, author, memberships.',
    ],
    [
      'has an unknown field',
      { ...visit, values: { [SECRET]: 1 } },
      'values: an unknown PHI field. Visit has Visit.date, Visit.reason, Visit.note.',
    ],
    ['has a value of every object', { ...visit, values: { constructor: SECRET } }, /^values: an unknown PHI field\./],
    [
      'has an edge as a value',
      { type: 'Patient', id: 'p', values: { visits: { edges: [], pageInfo: {}, mayBeIncomplete: false } } },
      'values: an unknown PHI field. Patient has Patient.familyName, Patient.birthDate, Patient.phone.',
    ],
    ['has a value of another type', { ...visit, values: { reason: { text: SECRET } } }, 'Visit.reason is not of the type String.'],
    ['has a list as a value', { ...visit, values: { date: [SECRET] } }, 'Visit.date is not of the type PartialDate.'],
    [
      'has a PHI field in open',
      { ...visit, open: { reason: SECRET } },
      /^open: a field without @notPhi, an id, or an unknown field of Visit\./,
    ],
    ['has an unknown field in open', { ...visit, open: { [SECRET]: 1 } }, /^open: /],
    ['chooses the id that clients read', { ...visit, open: { id: SECRET } }, /^open: /],
    ['has half of a character', { ...visit, values: { reason: `${SECRET}\ud800` } }, /^A text of the line is no Unicode/],
    ['has a date in words', { ...visit, date: SECRET }, /^"date" is no date of ISO 8601\./],
    ['has a day that does not exist', { ...visit, date: '2026-02-30' }, /^"date" is no date of ISO 8601\./],
    ['has a time without an offset', { ...visit, date: '2026-02-03T10:00:00' }, /^"date" is no date of ISO 8601\./],
    ['has an unknown label', { ...visit, labels: [SECRET] }, /^Unknown label\. The schema has PSY, /],
    ['has a label of every object', { ...visit, labels: ['constructor'] }, /^Unknown label\./],
    ['has codes that are no texts', { ...visit, codes: [{ code: SECRET }] }, /^codes: /],
    ['has an author without a type', { ...visit, author: SECRET }, /^author: /],
    ['has a reference without a type', { ...visit, references: { patient: SECRET } }, /^references: /],
    [
      'has a reference of an unknown name',
      { ...visit, references: { [SECRET.replace('-', '')]: 'Visit/v' } },
      'references: Visit has no field of this name with a record of this type.',
    ],
    [
      'has a reference to another type',
      { ...visit, references: { patient: `Visit/${SECRET}` } },
      /^references: Visit has no field/,
    ],
    ['has a reference from a value', { ...visit, references: { reason: `Visit/${SECRET}` } }, /^references: Visit has no field/],
    [
      'gives access beside the patient',
      { ...visit, memberships: [{ user: `Practitioner/${SECRET}`, relationship: 'CARE_TEAM' }] },
      'Only a line of Patient has "memberships".',
    ],
    [
      'gives an unknown relationship',
      { type: 'Patient', id: SECRET, memberships: [{ user: `Patient/${SECRET}`, relationship: SECRET }] },
      /^memberships: /,
    ],
    [
      'gives access with an unknown member',
      { type: 'Patient', id: SECRET, memberships: [{ user: 'Patient/p', relationship: 'SELF', [SECRET]: 1 }] },
      'memberships: an unknown member.',
    ],
  ])('if it %s', (_, line, message) => {
    expect(refused(line)).toMatch(message)
    expect(refused(line)).not.toContain('Xavier')
  })

  it('takes nothing from a prototype in the text of a line', () => {
    const text = `{"type":"Visit","id":"v","patient":"p","values":{"__proto__":{"reason":"x"}},"references":{"__proto__":"Patient/p"}}`
    const { record } = recordOfLine(text, { compiled: practice, idFor })
    expect(record.values.size).toBe(0)
    expect(record.metadata.references).toEqual({})
    expect(refusal(`{"__proto__":{"type":"Visit"},"id":"v","patient":"p"}`)).not.toBe('')
  })
})

describe('a type of another source', () => {
  it('is refused, because its source keeps its records', async () => {
    const { compilePolicy } = await import('../../../directives/compile.ts')
    const { readFileSync } = await import('node:fs')
    const sdl = readFileSync(new URL('../../../examples/dental/dental.graphql', import.meta.url), 'utf8')
    const dental = compilePolicy([{ name: 'dental.graphql', sdl }], { relationships: 'unchecked' })
    expect(refused({ type: 'Treatment', id: SECRET, patient: SECRET }, dental)).toBe(
      'Treatment has the source practiceServer, which keeps its own records.',
    )
  })
})
