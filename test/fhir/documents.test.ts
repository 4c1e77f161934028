import { describe, expect, it } from 'vitest'
import { plainText } from '../../fhir/plain-text.ts'
import { type Resource, bundle, idFor, map, patient, practitioner, reasonsOf, recordsOf, valuesOf } from './clinic.ts'

const base64 = (text: string, encoding: BufferEncoding = 'utf8'): string => Buffer.from(text, encoding).toString('base64')
const attachment = (text: string, contentType = 'text/plain; charset=utf-8'): object => ({ contentType, data: base64(text) })
const encounter = { resourceType: 'Encounter', id: 'e1', subject: { reference: 'Patient/ada' } }

const document = (changes: Record<string, unknown> = {}): Resource => ({
  resourceType: 'DocumentReference',
  id: 'd1',
  status: 'superseded',
  type: { coding: [{ code: '34117-2' }] },
  category: [{ coding: [{ code: 'clinical-note' }] }],
  subject: { reference: 'Patient/ada' },
  date: '2024-03-01T09:30:00Z',
  author: [{ reference: 'Practitioner/p1', display: 'Ada Byron' }],
  content: [{ attachment: attachment('Sees Ada, who is well.') }],
  context: { encounter: [{ reference: 'Encounter/e1' }] },
  ...changes,
})
const report = (changes: Record<string, unknown> = {}): Resource => ({
  resourceType: 'DiagnosticReport',
  id: 'd1',
  status: 'final',
  code: { coding: [{ code: '24323-8' }] },
  subject: { reference: 'Patient/ada' },
  encounter: { reference: 'Encounter/e1' },
  effectiveDateTime: '2024-03-01',
  issued: '2024-03-05T00:00:00Z',
  performer: [{ reference: 'Organization/lab', display: 'The Lab' }],
  presentedForm: [attachment('All within range.')],
  ...changes,
})

const mapped = (...more: readonly unknown[]): ReturnType<typeof map> => map(bundle(patient(), practitioner(), encounter, ...more))
const textOf = (attached: object): unknown => {
  const result = mapped(document({ content: [{ attachment: attached }] }))
  return reasonsOf(result)[0] ?? valuesOf(recordsOf(result, 'DocumentReference')[0])['DocumentReference.text']
}

describe('documents', () => {
  it('carry their text as one value', () => {
    const [record] = recordsOf(mapped(document()), 'DocumentReference')
    expect(valuesOf(record)).toEqual({
      'DocumentReference.type': { coding: [{ code: '34117-2' }] },
      'DocumentReference.date': '2024-03-01T09:30:00Z',
      'DocumentReference.author': 'Dr. Grace Hopper',
      'DocumentReference.text': 'Sees Ada, who is well.',
    })
    expect(record?.metadata).toMatchObject({
      references: { encounter: idFor('Encounter', 'e1') },
      date: '2024-03-01T09:30:00.000Z',
      codes: ['34117-2'],
      categories: ['clinical-note'],
    })
  })

  it('of reports have their own ids, beside a document of the same id', () => {
    const records = recordsOf(mapped(document(), report()), 'DocumentReference')
    expect(records.map(({ ref }) => ref.id)).toEqual([
      idFor('DocumentReference', 'd1'),
      idFor('DocumentReference', 'DiagnosticReport/d1'),
    ])
    expect(valuesOf(records[1])).toEqual({
      'DocumentReference.type': { coding: [{ code: '24323-8' }] },
      'DocumentReference.date': '2024-03-01',
      'DocumentReference.author': 'The Lab',
      'DocumentReference.text': 'All within range.',
    })
  })

  it.each([
    [{ conclusion: 'Well.' }, 'All within range.\n\nWell.'],
    [{ conclusion: 'within range' }, 'All within range.'],
    [{ conclusion: 'Well.', presentedForm: undefined, text: { div: '<div>narrative</div>' } }, 'Well.'],
    [
      { presentedForm: undefined, text: { div: '<div xmlns="x"><p>Two &lt; three</p><p>so&#32;far</p></div>' } },
      'Two < three\nso far',
    ],
  ])('of reports: %j', (changes, expected) => {
    const [record] = recordsOf(mapped(report(changes)), 'DocumentReference')
    expect(valuesOf(record)['DocumentReference.text']).toBe(expected)
  })

  it('are not made of reports without text, which are counted', () => {
    const result = mapped(
      report({ presentedForm: undefined }),
      report({ id: 'd2', presentedForm: [{ contentType: 'application/pdf', data: 'AAAA' }] }),
    )
    expect(recordsOf(result, 'DocumentReference')).toEqual([])
    expect([...result.leftOut]).toEqual([['DiagnosticReport without text', 2]])
    expect(result.faults).toEqual([])
  })
})

describe('attached text', () => {
  it.each([
    [attachment('naïve'), 'naïve'],
    [{ contentType: 'text/plain', data: base64('naïve') }, 'naïve'],
    [{ contentType: 'text/plain; charset="ISO-8859-1"', data: base64('naïve', 'latin1') }, 'naïve'],
    [{ contentType: 'text/plain;charset=utf-16le', data: base64('naïve', 'utf16le') }, 'naïve'],
    [{ contentType: 'TEXT/HTML', data: base64('<p>a<br>b &amp; c</p><script>x</script>') }, 'a\nb & c'],
    [{ contentType: 'text/plain', data: base64('folded').replace(/(.{4})/g, '$1\r\n') }, 'folded'],
    [{ contentType: 'application/pdf', data: 'AAAA' }, undefined],
    [{ contentType: 'text/xml', data: base64('<a/>') }, undefined],
    [{ contentType: 'text/plain', url: 'https://example.org/1' }, undefined],
    [{ data: base64('of no type') }, undefined],
    [{ contentType: 'text/plain', data: base64(' \n') }, undefined],
  ])('%j is %j', (attached, expected) => {
    expect(textOf(attached)).toBe(expected)
  })

  const where = 'DocumentReference.content.attachment'
  it.each([
    [{ contentType: 'text/plain', data: 'CANARY!' }, `${where}: not base64`],
    [{ contentType: 'text/plain', data: 'AAA' }, `${where}: not base64`],
    [{ contentType: 'text/plain; charset=CANARY', data: base64('a') }, `${where}: not text of the charset that it names`],
    [{ contentType: 'text/plain', data: base64('naïve', 'latin1') }, `${where}: not text of the charset that it names`],
    [attachment('é'.repeat(102_401)), `${where}: longer than 200 KB`],
    [{ contentType: 'text/plain', data: ' '.repeat(700_000) }, `${where}: longer than 200 KB`],
  ])('refuses %#', (attached, reason) => {
    expect(textOf(attached)).toBe(reason)
  })

  it('accepts exactly 200 KB, in any charset', () => {
    const text = 'x'.repeat(204_800)
    expect(textOf(attachment(text))).toBe(text)
    expect(textOf({ contentType: 'text/plain;charset=utf-16le', data: base64(text, 'utf16le') })).toBe(text)
  })

  it('limits the joined text as well', () => {
    const half = 'x'.repeat(150_000)
    const result = mapped(report({ presentedForm: [attachment(half)], conclusion: `${half.slice(1)}y` }))
    expect(reasonsOf(result)).toEqual(['DocumentReference.text: longer than 200 KB'])
  })

  it('reads the first text form', () => {
    const content = [
      { attachment: { contentType: 'application/pdf', data: 'AAAA' } },
      { attachment: attachment('one') },
      { attachment: attachment('two') },
    ]
    expect(valuesOf(recordsOf(mapped(document({ content })), 'DocumentReference')[0])['DocumentReference.text']).toBe('one')
  })
})

describe('markup', () => {
  it('is never kept as text, and never decodes to an unpaired surrogate', () => {
    expect(plainText('<style>p{}</style><p title="x">a&nbsp;b</p>&#xD800;&#0;&bogus;')).toBe('a b\n&#xD800;&#0;&bogus;')
    expect(plainText('shown <script>hidden')).toBe('shown')
    expect(plainText('&amp;lt;')).toBe('&lt;')
  })

  it.each(['<', '<script>', '&#', '<br', '</p>'])('of nothing but %j is parsed in one pass', (piece) => {
    expect(plainText(piece.repeat(100_000)).length).toBeLessThanOrEqual(piece.length * 100_000)
  })
})
