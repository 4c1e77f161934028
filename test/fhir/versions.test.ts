import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { newestOf, versionOf } from '../../fhir/versions.ts'
import { compareVersions, latestOf } from '../../gateway/model/source.ts'
import { bundle, map, observation, patient, reasonsOf, recordsOf, valuesOf } from './clinic.ts'

const version = (versionId?: string, lastUpdated?: string) => versionOf({ versionId, lastUpdated }, undefined)
const DAY = ['2024-01-01T00:00:00Z', '2024-01-02T00:00:00Z'] as const

describe('the order of two versions', () => {
  it.each([
    [version('9'), version('10'), 'OLDER'],
    [version('2'), version('02'), 'EQUAL'],
    [version('a'), version('b'), 'UNKNOWN'],
    [version('a', DAY[0]), version('b', DAY[1]), 'OLDER'],
    [version('1', DAY[1]), version('2', DAY[0]), 'CONTRADICTORY'],
    [version(undefined, DAY[1]), version('2', DAY[0]), 'NEWER'],
    [version(), version(), 'UNKNOWN'],
    [version(undefined, '2024-01-01T02:00:00+02:00'), version(undefined, DAY[0]), 'EQUAL'],
    [version(undefined, '2024-01-01T00:00:00.0001Z'), version(undefined, '2024-01-01T00:00:00.00009Z'), 'NEWER'],
    [versionOf({}, { etag: 'W/"3"', lastModified: DAY[0] }), version('2', DAY[0]), 'NEWER'],
    [version(undefined, 'yesterday'), version(undefined, DAY[0]), 'UNKNOWN'],
  ] as const)('of %j and %j is %s', (one, other, order) => {
    expect(compareVersions(one, other)).toBe(order)
  })

  it('is the reverse for the reverse, and nothing is newer than the latest parts of both', () => {
    const any = fc
      .record({ versionId: fc.constantFrom('1', '2', '10', 'x', undefined), lastUpdated: fc.constantFrom(...DAY, undefined) })
      .map(({ versionId, lastUpdated }) => version(versionId, lastUpdated))
    const reverse = { NEWER: 'OLDER', OLDER: 'NEWER', EQUAL: 'EQUAL', UNKNOWN: 'UNKNOWN', CONTRADICTORY: 'CONTRADICTORY' }
    fc.assert(
      fc.property(any, any, (one, other) => {
        expect(compareVersions(other, one)).toBe(reverse[compareVersions(one, other)])
        expect(compareVersions(one, latestOf(one, other))).not.toBe('NEWER')
        expect(compareVersions(other, latestOf(one, other))).not.toBe('NEWER')
      }),
    )
  })
})

describe('the versions of a resource in a bundle', () => {
  const versions = [1, 2, 3].map((number) =>
    observation({ meta: { versionId: String(number) }, valueString: `v${number}`, valueQuantity: undefined }),
  )

  it('give the newest one, in any order', () => {
    fc.assert(
      fc.property(fc.shuffledSubarray(versions, { minLength: 3 }), (shuffled) => {
        const mapped = map(bundle(...shuffled, patient()))
        expect(mapped.faults).toEqual([])
        expect(recordsOf(mapped, 'Observation').map((record) => valuesOf(record)['Observation.valueString'])).toEqual(['v3'])
        expect(mapped.outcomes.filter(({ kind }) => kind === 'superseded')).toHaveLength(2)
      }),
      { numRuns: 10 },
    )
  })

  it('give nothing if the newest one is a deletion, whatever its place, and the deletion is withdrawn', () => {
    const gone = { request: { method: 'DELETE', url: 'Observation/o1' }, response: { etag: 'W/"4"' } }
    for (const place of [0, 2, 4]) {
      const { entry, ...rest } = bundle(patient(), ...versions)
      const mapped = map({ ...rest, entry: entry.toSpliced(place, 0, gone as never) })
      expect(mapped.faults).toEqual([])
      expect(recordsOf(mapped, 'Observation')).toEqual([])
      expect(mapped.withdrawn).toMatchObject([{ type: 'Observation', reason: 'RETRACTED', version: { versionId: '4' } }])
    }
  })

  it('are faults if two of them differ and nothing orders them, and none is imported', () => {
    const mapped = map(bundle(patient(), observation(), observation({ effectiveDateTime: '2024-03-02' })))
    expect(reasonsOf(mapped)).toHaveLength(2)
    expect(recordsOf(mapped, 'Observation')).toEqual([])
    expect(mapped.withdrawn).toMatchObject([{ type: 'Observation', reason: 'UNREADABLE' }])
  })

  it('can be deleted in a history by the URL of the version, and elsewhere only by that of the resource', () => {
    const gone = { request: { method: 'DELETE', url: 'http://h.example/fhir/Observation/o1/_history/7' } }
    const entry = [...bundle(patient(), ...versions).entry, gone]
    const history = map({ resourceType: 'Bundle', type: 'history', entry })
    expect([history.faults, recordsOf(history, 'Observation')]).toEqual([[], []])
    const batch = map({ resourceType: 'Bundle', type: 'batch', entry })
    expect(reasonsOf(batch)).toEqual(['Bundle.entry.request: a deletion that names no single resource'])
    expect(recordsOf(batch, 'Observation')).toHaveLength(1)
  })

  it('choose the only entry without a version', () => {
    const one = { version: {} }
    expect(newestOf([one], () => true)).toEqual({ newest: one, older: [], repeated: [], conflicting: [] })
  })
})
