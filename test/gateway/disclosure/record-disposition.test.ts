import { describe, expect, it } from 'vitest'
import type { SubjectAttributes } from '../../../gateway/access/attribute-loader.ts'
import {
  afterOpening,
  beforeOpening,
  type Disposition,
  type Lookup,
  type Openable,
  type OpenedRecord,
} from '../../../gateway/disclosure/record-disposition.ts'
import type { Closure, VisibilityVerdict } from '../../../gateway/disclosure/record-visibility.ts'
import { IntegrityFailure, KeyUnavailable } from '../../../gateway/model/failures.ts'
import type { Relationship } from '../../../directives/policy.ts'
import type { TypeName } from '../../../directives/coordinates.ts'
import type { PatientId, RecordId } from '../../../gateway/model/ids.ts'
import type { FoundRecord } from '../../../gateway/store/record-source.ts'

// Every combination of the inputs. Each test states a promise for all combinations that it covers.

const KEY_FAILURE = new KeyUnavailable()
const record: FoundRecord = {
  ref: { type: 'Person' as TypeName, patient: 'p' as PatientId, id: 'p' as RecordId },
  open: () => {
    throw new TypeError('a decision opens nothing')
  },
}

const known = (more: Partial<SubjectAttributes>): Lookup['attributes'] => ({
  value: { relationships: new Set(), consents: [], ...more },
})
const ATTRIBUTES: readonly Lookup['attributes'][] = [
  { failure: 'KEY' },
  ...[{}, { hasManifest: true }, { hasManifest: false }].flatMap((manifest) => [
    known(manifest),
    known({ ...manifest, damage: 'TAMPERED' }),
    known({ ...manifest, damage: 'NO_MANIFEST' }),
  ]),
]
const FOUND: readonly Lookup['found'][] = [{ failure: 'STORE' }, { value: undefined }, { value: record }]
const VISIBILITIES: readonly VisibilityVerdict[] = [
  { kind: 'VISIBLE' },
  { kind: 'BY_RECORD', doubt: undefined },
  { kind: 'BY_RECORD', doubt: 'KEY' },
  { kind: 'HIDDEN', doubt: undefined },
  { kind: 'HIDDEN', doubt: 'STORE' },
]
const VERSIONS = [undefined, 0, 1, 2]
const BOTH = [false, true]

const LOOKUPS: readonly Lookup[] = ATTRIBUTES.flatMap((attributes) =>
  FOUND.flatMap((found) =>
    VISIBILITIES.flatMap((visibility) =>
      VERSIONS.flatMap((listed) =>
        VERSIONS.flatMap((earlierVersion) =>
          BOTH.flatMap((seesExistence) =>
            BOTH.map((cannotExist) => ({ attributes, found, visibility, listed, earlierVersion, seesExistence, cannotExist })),
          ),
        ),
      ),
    ),
  ),
)

const CLOSURES: readonly Closure[] = ['OPEN', 'CONSENT', 'RELATIONSHIP', 'UNKNOWN']
const opened = (version: number, closure: Closure, own: OpenedRecord['own'], erased: boolean): OpenedRecord => ({
  record: {
    version,
    metadata: { open: {}, references: {} },
    ...(erased && { erased: true }),
    maxBytes: () => 0,
    value: () => undefined,
  },
  closure,
  own,
  facts: { relationships: own, consent: { rules: new Map(), given: [] } },
})
const OPENINGS: readonly OpenedRecord[] = CLOSURES.flatMap((closure) =>
  [new Set<Relationship>(), new Set(['AUTHOR' as Relationship])].flatMap((own) => [
    opened(1, closure, own, false),
    opened(2, closure, own, false),
    opened(0, closure, own, true),
  ]),
)

const isFailed = ({ kind }: Disposition | Openable): boolean => kind === 'FAILED'
const isDenied = ({ kind }: Disposition | Openable): boolean => kind === 'NOT_FOUND' || kind === 'HIDDEN' || kind === 'CLOSED'
const isIntegrity = (result: Disposition | Openable): boolean =>
  result.kind === 'FAILED' && result.failure instanceof IntegrityFailure

const attributesOf = ({ attributes }: Lookup): Partial<SubjectAttributes> => ('value' in attributes ? attributes.value : {})
const doubtOf = ({ visibility }: Pick<Lookup, 'visibility'>) => (visibility.kind === 'VISIBLE' ? undefined : visibility.doubt)
const answered = LOOKUPS.filter(({ attributes, found }) => 'value' in attributes && 'value' in found)
const isThere = ({ found }: Lookup): boolean => 'value' in found && found.value !== undefined
const isDamaged = (lookup: Lookup): boolean => {
  const { damage } = attributesOf(lookup)
  return damage === 'TAMPERED' || (damage === 'NO_MANIFEST' && isThere(lookup))
}
const intact = answered.filter((lookup) => !isDamaged(lookup))

const openables = LOOKUPS.flatMap((lookup) => {
  const before = beforeOpening(lookup)
  return before.kind === 'OPENABLE' ? [before] : []
})
/** All combinations after opening. */
const CONCLUSIONS = openables.flatMap((openable) => OPENINGS.map((opening) => ({ openable, opening })))
const isRolledBack = ({ openable: { listed }, opening: { record: found } }: (typeof CONCLUSIONS)[number]): boolean =>
  listed !== undefined && found.erased !== true && found.version < listed

/** The first few cases that contradict a promise. */
function exceptions<Case>(cases: readonly Case[], holds: (one: Case) => boolean): readonly Case[] {
  expect(cases.length).toBeGreaterThan(0)
  return cases.filter((one) => !holds(one)).slice(0, 3)
}

describe('a record before it is opened', () => {
  it('P1: opens nothing unless it is found, intact, and visible to the caller or by its own metadata', () => {
    const allowed = new Set(intact.filter((lookup) => isThere(lookup) && lookup.visibility.kind !== 'HIDDEN'))
    expect(exceptions(LOOKUPS, (lookup) => (beforeOpening(lookup).kind === 'OPENABLE') === allowed.has(lookup))).toEqual([])
  })

  it('P5: a hidden record that is found is never opened, closed or found', () => {
    const hidden = intact.filter((lookup) => isThere(lookup) && lookup.visibility.kind === 'HIDDEN')
    const kinds = new Set(hidden.map((lookup) => beforeOpening(lookup).kind))
    expect([...kinds].toSorted()).toEqual(['FAILED', 'HIDDEN', 'UNAVAILABLE'])
    const plain = hidden.filter(
      (lookup) => doubtOf(lookup) === undefined && lookup.listed === undefined && lookup.earlierVersion === undefined,
    )
    expect(exceptions(plain, (lookup) => beforeOpening(lookup).kind === 'HIDDEN')).toEqual([])
  })

  it('P5: an absent record is NOT_FOUND; it is HIDDEN only if the patient exists and the caller may not know', () => {
    const absent = intact.filter(
      (lookup) =>
        !isThere(lookup) && doubtOf(lookup) === undefined && lookup.listed === undefined && lookup.earlierVersion === undefined,
    )
    const mayNotKnow = (lookup: Lookup): boolean =>
      lookup.visibility.kind !== 'VISIBLE' && !lookup.seesExistence && attributesOf(lookup).hasManifest === true
    expect(exceptions(absent, (lookup) => beforeOpening(lookup).kind === (mayNotKnow(lookup) ? 'HIDDEN' : 'NOT_FOUND'))).toEqual([])
  })

  it('P6: tampered relationships, or a record of a patient without a manifest, are an integrity failure and no denial', () => {
    expect(exceptions(answered.filter(isDamaged), (lookup) => isIntegrity(beforeOpening(lookup)))).toEqual([])
  })

  it('P6: a record that a list names and that is absent is an integrity failure, never empty or not found', () => {
    const removed = intact.filter((lookup) => lookup.listed !== undefined && !isThere(lookup) && doubtOf(lookup) === undefined)
    expect(exceptions(removed, (lookup) => isIntegrity(beforeOpening(lookup)))).toEqual([])
  })

  it('P9: a record that disappears during the request is UNAVAILABLE for its version', () => {
    const gone = intact.filter(
      (lookup) =>
        lookup.earlierVersion !== undefined && lookup.listed === undefined && !isThere(lookup) && doubtOf(lookup) === undefined,
    )
    expect(
      exceptions(gone, (lookup) => {
        const before = beforeOpening(lookup)
        return before.kind === 'UNAVAILABLE' && before.reason === 'VERSION'
      }),
    ).toEqual([])
  })

  it('P9: a service that failed makes the record UNAVAILABLE with its reason, the attributes first', () => {
    const failing = LOOKUPS.filter(({ attributes, found }) => 'failure' in attributes || 'failure' in found)
    expect(
      exceptions(failing, (lookup) => {
        const before = beforeOpening(lookup)
        return before.kind === 'UNAVAILABLE' && before.reason === ('failure' in lookup.attributes ? 'KEY' : 'STORE')
      }),
    ).toEqual([])
  })

  it('P9: an unknown relationship that could make the record visible is UNAVAILABLE, and no denial', () => {
    const doubtful = intact.filter(
      (lookup) => doubtOf(lookup) !== undefined && (lookup.visibility.kind === 'HIDDEN' || !isThere(lookup)),
    )
    expect(
      exceptions(doubtful, (lookup) => {
        const before = beforeOpening(lookup)
        return before.kind === 'UNAVAILABLE' && before.reason === doubtOf(lookup)
      }),
    ).toEqual([])
  })
})

describe('a record after it was opened', () => {
  it('P5: a record with metadata that does not open it to the caller has the result of an unopened one', () => {
    const others = CONCLUSIONS.filter(
      ({ openable, opening }) =>
        openable.visibility.kind === 'BY_RECORD' &&
        opening.own.size === 0 &&
        !(opening.record.erased === true && openable.cannotExist),
    )
    expect(
      exceptions(others, ({ openable, opening }) => {
        const { attributes, record: found } = openable
        const doubt = doubtOf(openable)
        const unopened = beforeOpening({
          ...openable,
          attributes: { value: attributes },
          found: { value: found },
          visibility: { kind: 'HIDDEN', doubt },
        })
        const after = afterOpening(openable, opening)
        return after.kind === unopened.kind
      }),
    ).toEqual([])
  })

  it('P5: a record that does not open is hidden if only its metadata could make it visible', () => {
    const byRecord = openables.filter(
      (openable) =>
        openable.visibility.kind === 'BY_RECORD' &&
        doubtOf(openable) === undefined &&
        openable.listed === undefined &&
        openable.earlierVersion === undefined,
    )
    expect(exceptions(byRecord, (openable) => afterOpening(openable, { failure: KEY_FAILURE }).kind === 'HIDDEN')).toEqual([])
  })

  it('P5: an erased patient has no record with another id than the own one', () => {
    const impossible = CONCLUSIONS.filter(({ openable, opening }) => opening.record.erased === true && openable.cannotExist)
    expect(exceptions(impossible, ({ openable, opening }) => afterOpening(openable, opening).kind === 'NOT_FOUND')).toEqual([])
  })

  it('P6: a record older than its list entry is an integrity failure', () => {
    const old = CONCLUSIONS.filter((one) => one.openable.visibility.kind === 'VISIBLE' && isRolledBack(one))
    expect(exceptions(old, ({ openable, opening }) => isIntegrity(afterOpening(openable, opening)))).toEqual([])
  })

  it('P9: a visible record that does not open keeps the failure of its opening', () => {
    const visible = openables.filter(({ visibility }) => visibility.kind === 'VISIBLE')
    expect(
      exceptions(visible, (openable) => {
        const after = afterOpening(openable, { failure: KEY_FAILURE })
        return after.kind === 'FAILED' && after.failure === KEY_FAILURE
      }),
    ).toEqual([])
  })

  /** Records with accepted metadata: the verdict of consents and limits, and the version remain. */
  const accepted = CONCLUSIONS.filter(
    (one) =>
      !isRolledBack(one) &&
      !(one.opening.record.erased === true && one.openable.cannotExist) &&
      (one.openable.visibility.kind === 'VISIBLE' || one.opening.own.size > 0),
  )

  it('P9: a record that consents or limits close is CLOSED with reason and version, never found', () => {
    const closed = accepted.filter(({ opening: { closure } }) => closure === 'CONSENT' || closure === 'RELATIONSHIP')
    expect(
      exceptions(closed, ({ openable, opening }) => {
        const after = afterOpening(openable, opening)
        return after.kind === 'CLOSED' && after.reason === opening.closure && after.version === opening.record.version
      }),
    ).toEqual([])
  })

  it('P9: unknown consents make the record UNAVAILABLE, neither closed nor found', () => {
    const unknown = accepted.filter(({ opening }) => opening.closure === 'UNKNOWN')
    expect(
      exceptions(unknown, ({ openable, opening }) => {
        const after = afterOpening(openable, opening)
        return after.kind === 'UNAVAILABLE' && after.reason === 'STORE'
      }),
    ).toEqual([])
  })

  it('P9: one answer never mixes two versions of a record', () => {
    const changed = accepted.filter(
      ({ openable: { earlierVersion }, opening }) =>
        opening.closure === 'OPEN' && earlierVersion !== undefined && earlierVersion !== opening.record.version,
    )
    expect(
      exceptions(changed, ({ openable, opening }) => {
        const after = afterOpening(openable, opening)
        return after.kind === 'UNAVAILABLE' && after.reason === 'VERSION'
      }),
    ).toEqual([])
  })

  it('P1: a record is FOUND if and only if it is accepted, open, and of the version that this request found earlier', () => {
    const wanted = new Set(
      accepted.filter(
        ({ openable: { earlierVersion }, opening }) =>
          opening.closure === 'OPEN' && (earlierVersion === undefined || earlierVersion === opening.record.version),
      ),
    )
    expect(
      exceptions(CONCLUSIONS, (one) => {
        const after = afterOpening(one.openable, one.opening)
        return after.kind === 'FOUND' ? wanted.has(one) && after.opened === one.opening : !wanted.has(one)
      }),
    ).toEqual([])
  })
})

it('P9: a failure is never a denial, for any combination', () => {
  const failing = [
    ...LOOKUPS.filter((lookup) => 'failure' in lookup.attributes || 'failure' in lookup.found || isDamaged(lookup)),
  ].map(beforeOpening)
  expect(failing.filter(isDenied)).toEqual([])
  expect(failing.some(isFailed)).toBe(true)
})
