import { describe, expect, it } from 'vitest'
import { type Resource, bundle, map, patient, reasonsOf, recordsOf, valuesOf } from './clinic.ts'

const subject = { reference: 'Patient/ada' }
const data = Buffer.from('Seen today, well.').toString('base64')
const binary = (changes: Record<string, unknown> = {}): Resource => ({
  resourceType: 'Binary',
  id: 'b1',
  contentType: 'text/plain',
  data,
  ...changes,
})
const document = (attachment: object): Resource => ({
  resourceType: 'DocumentReference',
  id: 'd1',
  status: 'current',
  subject,
  content: [{ attachment }],
})
const url = { contentType: 'text/plain', url: 'Binary/b1' }
const textOf = (mapped: ReturnType<typeof map>): unknown =>
  valuesOf(recordsOf(mapped, 'DocumentReference')[0])['DocumentReference.text']

describe('the text of a document in a Binary of the bundle', () => {
  it.each(['Binary/b1', 'https://source.example/fhir/Binary/b1', 'urn:uuid:8f14e45f-ceea-4672-9a3b-0b6f3c2d1e00'])(
    'is read by %s',
    (to) => {
      const fullUrl = to === 'Binary/b1' ? 'https://other.example/fhir/Binary/b1' : to
      const entry = [{ resource: patient() }, { fullUrl, resource: binary() }, { resource: document({ ...url, url: to }) }]
      const mapped = map({ resourceType: 'Bundle', type: 'collection', entry })
      expect(textOf(mapped)).toBe('Seen today, well.')
      expect(reasonsOf(mapped)).toEqual([])
      expect([...mapped.unknown, ...mapped.leftOut]).toEqual([])
    },
  )

  it('has the content type of the Binary if the attachment has none', () => {
    const html = { contentType: 'text/html', data: Buffer.from('<p>a</p>').toString('base64') }
    expect(textOf(map(bundle(patient(), binary(html), document({ url: 'Binary/b1' }))))).toBe('a')
  })

  it('is part of a report too', () => {
    const report = {
      resourceType: 'DiagnosticReport',
      id: 'r',
      status: 'final',
      code: { text: 'x' },
      subject,
      presentedForm: [url],
    }
    expect(textOf(map(bundle(patient(), binary(), report)))).toBe('Seen today, well.')
  })

  it('changes the digest, and gives its security labels to the record', () => {
    const of = (changes: Record<string, unknown>) =>
      recordsOf(map(bundle(patient(), binary(changes), document(url))), 'DocumentReference')[0]?.metadata
    expect(of({ data: Buffer.from('b').toString('base64') })?.source).not.toBe(of({})?.source)
    const security = [{ system: 'http://terminology.hl7.org/CodeSystem/v3-Confidentiality', code: 'R' }]
    expect(of({ meta: { security } })?.labels).toEqual(['R'])
  })

  it('is counted as missing if the URL leads elsewhere, or if the content is not text', () => {
    for (const attachment of [
      { ...url, url: 'https://elsewhere.example/1' },
      { contentType: 'application/pdf', data: 'AAAA' },
    ]) {
      const mapped = map(bundle(patient(), binary(), document(attachment)))
      expect(textOf(mapped)).toBeUndefined()
      expect([...mapped.leftOut]).toEqual([['DocumentReference without its text', 1]])
    }
  })

  it.each([
    [binary({ implicitRules: 'urn:example:x' }), 'Binary: carries implicitRules, which must be known to read the resource'],
    [binary({ content: data }), 'Binary: holds an element that FHIR R4 does not have there'],
    [binary({ securityContext: { reference: 'Patient/bob' } }), 'DocumentReference.content.attachment: belongs to another patient'],
  ])('refuses the document if it must not be read: %#', (resource, reason) => {
    const mapped = map(bundle(patient(), patient({ id: 'bob' }), resource, document(url)))
    expect(reasonsOf(mapped)).toEqual([reason])
    expect(recordsOf(mapped, 'DocumentReference')).toEqual([])
  })
})
