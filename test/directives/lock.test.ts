import { describe, expect, it } from 'vitest'
import { lockDigest } from '../../directives/compile.ts'
import { diffLocks, renderDiff } from '../../directives/lock-diff.ts'
import { LockUnreadable, parseLock } from '../../directives/lock.ts'
import { compile, NOT_PHI, PHI, sdl } from './clinic-fixture.ts'

const lockOf = (fields: string, more = ''): string => compile(sdl(fields, more)).lock
const grant = (text: string): string => `a: String @phi(category: NOTE) ${text}`
const nurse = '@minimumNecessary(roles: [NURSE], purposes: [TREAT])'
/** The severity and the text of a change. */
const diff = (before: string, after: string) => {
  const { widened, narrowed, other } = diffLocks(before, after)
  const text = (changes: typeof widened) =>
    changes.map((change) => `${change.subject} ${change.what}: ${change.before} -> ${change.after}`)
  return { widened: text(widened), narrowed: text(narrowed), other: text(other) }
}
const NURSE_READS = 'Person.a NURSE for TREAT as CARE_TEAM: READ'
const BY_BREAK_GLASS = `${NURSE_READS} by break-glass`

describe('the lock', () => {
  it('has the same text for equal policies, in any order of declaration', () => {
    const one = lockOf(
      `b: ID ${NOT_PHI}\na: ID @phi(category: NOTE) @minimumNecessary(roles: [NURSE, PHYSICIAN], purposes: [ETREAT, TREAT])`,
    )
    const two = lockOf(
      `"A"\na: ID @phi(sensitivity: [], category: NOTE) @minimumNecessary(purposes: [TREAT, ETREAT], roles: [PHYSICIAN, NURSE])\nb: ID ${NOT_PHI}`,
    )
    expect(one).toBe(two)
    expect(one.split('\n').filter((line) => line.startsWith('grant'))).toEqual([
      'grant Person.a roles=NURSE,PHYSICIAN purposes=TREAT,ETREAT relationship=CARE_TEAM actions=READ view=FULL breakGlass=yes rule=Person.a#1',
    ])
  })

  it('is stamped by the SHA-256 of its text', () => {
    const { lock, policy } = compile(sdl(`a: ID ${PHI}`))
    expect(policy.digest).toBe(lockDigest(lock))
    expect(policy.digest).toMatch(/^[0-9a-f]{64}$/)
    expect(compile(sdl(`b: ID ${PHI}`)).policy.digest).not.toBe(policy.digest)
  })

  it('reads back line by line, including reasons with quotes and line breaks', () => {
    const lock = lockOf('a: ID @notPhi(because: "says \\"no\\"\\nand = more")')
    const line = parseLock(lock).find(({ kind }) => kind === 'notPhi')
    expect(line?.subject).toBe('Person.a')
    expect(JSON.parse(line?.values.get('because') ?? '')).toBe('says "no"\nand = more')
    expect(parseLock(lock).length).toBe(lock.split('\n').length - 2)
  })

  it.each([
    ['another format', 'format 2\n', 1],
    ['no format', '', 1],
    ['a missing end', 'format 1\nconsent PSY rule=REQUIRED', 1],
    ['an unknown kind of line', 'format 1\npermit Person.a to=everybody\n', 2],
    ['a line without its values', 'format 1\nconsent PSY rule=REQUIRED\ngrant Person.a\n', 3],
  ])('refuses %s', (_name, text, line) => {
    expect(() => parseLock(text)).toThrow(LockUnreadable)
    expect(() => parseLock(text)).toThrow(expect.objectContaining({ line }))
  })
})

describe('effective grants', () => {
  const defaults = '@minimumNecessary(roles: [PHYSICIAN]) @minimumNecessary(roles: [NURSE])'
  const rules = (text: string) =>
    Object.fromEntries([...compile(text).policy.phi].map(([path, { grants }]) => [path, grants.map(({ rule }) => rule)]))
  const person = (fields: string, more = '') =>
    `type Query { p: Person } type Person @record(patient: "id") ${defaults} { ${fields} } ${more}`

  it('defaults of a type reach its fields and the leaves of its embedded types', () => {
    expect(rules(person('a: ID @phi(category: NOTE) at: Place', 'type Place { city: ID @phi(category: NOTE) }'))).toEqual({
      'Person.a': ['Person#1', 'Person#2'],
      'Person.at.city': ['Person#1', 'Person#2'],
    })
  })

  it('one grant on a field replaces all defaults, and one on an embedded type replaces those of the record', () => {
    const place = `type Place @minimumNecessary(roles: [BILLING], purposes: [HPAYMT]) { city: ID @phi(category: NOTE) zip: ID ${PHI} }`
    expect(rules(person(`a: ID ${PHI} at: Place`, place))).toEqual({
      'Person.a': ['Person.a#1'],
      'Person.at.city': ['Place#1'],
      'Person.at.zip': ['Place.zip#1'],
    })
  })
})

describe('the diff separates widening from narrowing changes', () => {
  it('is empty for equal locks', () => {
    const lock = lockOf(grant(nurse))
    expect(renderDiff(diffLocks(lock, lock))).toBe('')
  })

  it('a new grant widens, a removed grant narrows', () => {
    const two = lockOf(grant(`${nurse} @minimumNecessary(roles: [BILLING], purposes: [HPAYMT], relationship: ORGANIZATION)`))
    const what = 'Person.a BILLING for HPAYMT as ORGANIZATION: READ'
    expect(diff(lockOf(grant(nurse)), two)).toMatchObject({
      widened: [`${what}: none -> FULL`],
      narrowed: [],
    })
    expect(diff(two, lockOf(grant(nurse)))).toMatchObject({
      widened: [],
      narrowed: [`${what}: FULL -> none`],
    })
  })

  it('a more revealing view widens, a less revealing one narrows, an incomparable one widens', () => {
    const view = (name: string) => lockOf(grant(`@minimumNecessary(roles: [NURSE], purposes: [TREAT], view: ${name})`))
    expect(diff(view('LAST4'), view('FULL'))).toEqual({ widened: [`${NURSE_READS}: LAST4 -> FULL`], narrowed: [], other: [] })
    expect(diff(view('FULL'), view('PRESENCE'))).toEqual({ widened: [], narrowed: [`${NURSE_READS}: FULL -> PRESENCE`], other: [] })
    expect(diff(view('LAST4'), view('ZIP3'))).toEqual({ widened: [`${NURSE_READS}: LAST4 -> ZIP3`], narrowed: [], other: [] })
  })

  it('only the most revealing of several grants counts', () => {
    const both = lockOf(grant(`${nurse} @minimumNecessary(roles: [NURSE], purposes: [TREAT], view: LAST4)`))
    expect(diff(lockOf(grant(nurse)), both)).toMatchObject({ widened: [], narrowed: [] })
    expect(diff(lockOf(grant(nurse)), both).other).toHaveLength(1)
  })

  it('adding break-glass to a grant widens, removing it narrows', () => {
    const closed = lockOf(grant('@minimumNecessary(roles: [NURSE], purposes: [TREAT], breakGlass: false)'))
    expect(diff(closed, lockOf(grant(nurse)))).toEqual({ widened: [`${BY_BREAK_GLASS}: no -> yes`], narrowed: [], other: [] })
    expect(diff(lockOf(grant(nurse)), closed)).toEqual({ widened: [], narrowed: [`${BY_BREAK_GLASS}: yes -> no`], other: [] })
  })

  it('break-glass is listed only for grants that it extends: those of the care team for treatment', () => {
    const lockOfNothing = lockOf(`b: ID ${NOT_PHI}`)
    expect(diff(lockOfNothing, lockOf(`b: ID ${NOT_PHI} ${grant(nurse)}`)).widened).toEqual([
      `${NURSE_READS}: none -> FULL`,
      `${BY_BREAK_GLASS}: none -> yes`,
    ])
    const others = '@minimumNecessary(roles: [PATIENT], purposes: [PATRQT], relationship: SELF)'
    expect(diff(lockOfNothing, lockOf(`b: ID ${NOT_PHI} ${grant(others)}`)).widened).toEqual([
      'Person.a PATIENT for PATRQT as SELF: READ: none -> FULL',
    ])
  })

  it('a new PHI field widens nothing, and a new role widens only by its purposes', () => {
    const more = (text: string) => lockOf(`b: ID ${NOT_PHI}`, text)
    const dentist = more('extend enum Role { DENTIST @role(kind: CLINICIAN, mayClaim: [TREAT]) }')
    expect(diff(more(''), dentist)).toEqual({ widened: ['role DENTIST may claim TREAT: none -> yes'], narrowed: [], other: [] })
    const found = diff(lockOf(`b: ID ${NOT_PHI}`), lockOf(`b: ID ${NOT_PHI} ${grant(nurse)}`))
    expect(found.narrowed).toEqual([])
    expect(found.other).toContain('Person.a class: none -> is=VALUE')
  })

  it('an argument that is added or removed with its field neither narrows nor widens', () => {
    const without = lockOf(grant(nurse))
    const withField = lockOf(grant(nurse), 'extend type Query { find(a: String @reads(field: "Person.a")): Person }')
    expect(diff(without, withField)).toMatchObject({ widened: [], narrowed: [] })
    expect(diff(without, withField).other).toContain('Query.find(a:) reads: none -> field=Person.a')
    expect(diff(withField, without)).toMatchObject({ widened: [], narrowed: [] })
  })

  it('removing a label, or the field that an argument reads, widens', () => {
    const plain = lockOf(grant(nurse))
    const labelled = lockOf(`a: String @phi(category: NOTE, sensitivity: [HIV]) ${nurse}`)
    expect(diff(labelled, plain)).toEqual({ widened: ['Person.a protected as HIV: yes -> none'], narrowed: [], other: [] })
    expect(diff(plain, labelled)).toEqual({ widened: [], narrowed: ['Person.a protected as HIV: none -> yes'], other: [] })
    const query = (mark: string) => lockOf(grant(nurse), `extend type Query { find(a: String ${mark}): Person }`)
    expect(diff(query('@reads(field: "Person.a")'), query(''))).toMatchObject({
      widened: ['Query.find(a:) needs Person.a: yes -> none'],
    })
  })

  it('a field that is no longer PHI widens', () => {
    expect(diff(lockOf(grant(nurse)), lockOf(`a: String ${NOT_PHI}`)).widened).toEqual([
      'Person.a given to every caller as not PHI: no -> yes',
    ])
  })

  it("changes of a role's rights and of a label's rule are compared", () => {
    const role = (text: string) =>
      lockOf(`b: ID ${NOT_PHI}`, `extend enum Role { DENTIST @role(kind: CLINICIAN, mayClaim: [${text}) }`)
    expect(diff(role('TREAT]'), role('TREAT, BTG], mfa: false'))).toMatchObject({
      widened: ['role DENTIST may claim BTG: none -> yes', 'role DENTIST without a second factor: no -> yes'],
      narrowed: [],
    })
    const label = (rule: string) => lockOf(`b: ID ${NOT_PHI}`, `extend enum Sensitivity { TEETH @consent(rule: ${rule}) }`)
    expect(diff(label('REQUIRED'), label('HONOR_DENIAL')).widened).toEqual(['consent TEETH rule: REQUIRED -> HONOR_DENIAL'])
    expect(diff(label('HONOR_DENIAL'), label('REQUIRED')).narrowed).toEqual(['consent TEETH rule: HONOR_DENIAL -> REQUIRED'])
  })

  it('the relationships that open a confidentiality', () => {
    const confidentiality = (v: string) =>
      lockOf(`b: ID ${NOT_PHI}`, `enum Confidentiality { R @opensTo(relationships: [SELF]) V @opensTo(${v}) }`)
    const [self, both] = [confidentiality('relationships: [SELF]'), confidentiality('relationships: [SELF, CARE_TEAM]')]
    expect(diff(self, both)).toEqual({
      widened: ['confidentiality V opened to CARE_TEAM: none -> yes'],
      narrowed: [],
      other: [],
    })
    expect(diff(both, self).narrowed).toEqual(['confidentiality V opened to CARE_TEAM: yes -> none'])
    expect(diff(self, confidentiality('relationships: [SELF], breakGlass: false')).narrowed).toEqual([
      'confidentiality V opened by break-glass: yes -> no',
    ])
    const withoutV = self.replace(/confidentiality V.*\n/, '')
    expect(diff(withoutV, self)).toEqual({
      widened: [],
      narrowed: ['confidentiality V closed to other relationships: none -> yes'],
      other: [],
    })
  })

  it('a comparison with the workforce widens, its removal narrows, and another part of it does both', () => {
    const [plain, phone] = [lockOf(`a: String ${PHI}`), lockOf(`a: String ${PHI} @workforceComparison(as: PHONE)`)]
    expect(phone.split('\n').filter((line) => !plain.includes(line))).toEqual(['comparison Person.a as=PHONE'])
    const change = (part: string, arrow: string) => `Person.a compared with the workforce as ${part}: ${arrow}`
    expect(diff(plain, phone)).toEqual({ widened: [change('PHONE', 'none -> yes')], narrowed: [], other: [] })
    expect(diff(phone, plain)).toEqual({ widened: [], narrowed: [change('PHONE', 'yes -> none')], other: [] })
    expect(diff(phone, lockOf(`a: String ${PHI} @workforceComparison(as: FAMILY_NAME)`))).toEqual({
      widened: [change('FAMILY_NAME', 'none -> yes')],
      narrowed: [change('PHONE', 'yes -> none')],
      other: [],
    })
  })

  it('a category or a reason is neither', () => {
    const found = diff(lockOf(grant(nurse)), lockOf(`a: String @phi(category: CLINICAL) ${nurse}`))
    expect(found).toMatchObject({ widened: [], narrowed: [] })
    expect(found.other).toHaveLength(1)
  })

  it('is printed with the widening changes first', () => {
    const text = renderDiff(
      diffLocks(
        lockOf(grant(nurse)),
        lockOf('a: String @phi(category: NOTE) @minimumNecessary(roles: [PHYSICIAN], purposes: [TREAT])'),
      ),
    )
    expect(text).toMatch(/^widened \(2\)\n {2}Person\.a {2}PHYSICIAN .*none -> FULL\n[^]*\nnarrowed \(2\)\n/)
  })
})
