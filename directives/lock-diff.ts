import { VIEWS } from './view-rules.ts'
import { isView } from './views.ts'
import { parseLock, type LockLine } from './lock.ts'

/** One difference between two locks. `before` or `after` is `none` if that lock has no such entry. */
interface LockChange {
  /** `Patient.birthDate`, `role BILLING`. */
  readonly subject: string
  /** `BILLING for HPAYMT as ORGANIZATION: READ`, `may claim HRESCH`. */
  readonly what: string
  readonly before: string
  readonly after: string
}

export interface LockDiff {
  /** Changes that let some caller see or claim more than before. */
  readonly widened: readonly LockChange[]
  readonly narrowed: readonly LockChange[]
  /** Changes without effect on access: reasons, categories, rules with a new location. */
  readonly other: readonly LockChange[]
}

/**
 * Compares two locks and sorts the differences by their effect on access. Grants are compared for each role, purpose,
 * relationship, action and path.
 *
 * A change between views of equal rank counts as widened, because the new view shows what the old one did not.
 *
 * @throws LockUnreadable if either text is not a lock
 */
export function diffLocks(before: string, after: string): LockDiff {
  const old = parseLock(before)
  const now = parseLock(after)
  const isComparable = inBoth(old, now)
  const changes = [
    ...compareFacts(facts(old.filter(isComparable)), facts(now.filter(isComparable))),
    ...compareText(old, now, isComparable),
  ]
  const by = (wanted: Direction) => changes.filter(({ direction }) => direction === wanted).map(({ change }) => change)
  return { widened: by('widened'), narrowed: by('narrowed'), other: by('other') }
}

/**
 * Returns a test for lines that both locks can have. If an argument was added or removed together with its field, its line
 * neither widens nor narrows, because one of the locks has no list to filter.
 */
function inBoth(old: readonly LockLine[], now: readonly LockLine[]): (line: LockLine) => boolean {
  const [before, after] = [old, now].map(
    (lines) => new Set(lines.filter(({ kind }) => kind === 'class').map(({ subject }) => subject)),
  )
  return ({ kind, subject }) => {
    const field = subject.replace(/\(.*$/, '')
    return kind !== 'reads' || (before?.has(field) === true && after?.has(field) === true)
  }
}

/** The diff as text. Widened entries come first, because a reviewer must agree to them. Empty if the locks are equal. */
export function renderDiff(diff: LockDiff): string {
  const section = (title: string, changes: readonly LockChange[]): readonly string[] =>
    changes.length === 0
      ? []
      : [
          `${title} (${changes.length})`,
          ...changes.map(({ subject, what, before, after }) => `  ${subject}  ${what}: ${before} -> ${after}`),
        ]
  return [...section('widened', diff.widened), ...section('narrowed', diff.narrowed), ...section('other', diff.other)]
    .map((line) => `${line}\n`)
    .join('')
}

type Direction = 'widened' | 'narrowed' | 'other'
interface Directed {
  readonly direction: Direction
  readonly change: LockChange
}

/** A permission or a restriction in a lock, and its printed form. A greater `height` allows more. */
interface Fact {
  readonly subject: string
  readonly what: string
  readonly shown: string
  readonly height: number
  /** The fact without which this one has no effect. If only one lock has it, this one is no change by itself. */
  readonly within?: string
}

const NOTHING = { shown: 'none', height: 0 }

function isNothing({ shown }: Pick<Fact, 'shown'>): boolean {
  return shown === NOTHING.shown || shown === 'no'
}

function compareFacts(old: ReadonlyMap<string, Fact>, now: ReadonlyMap<string, Fact>): readonly Directed[] {
  const keys = [...new Set([...old.keys(), ...now.keys()])].toSorted()
  return keys.flatMap((key): readonly Directed[] => {
    const before = old.get(key)
    const after = now.get(key)
    const either = after ?? before
    const within = either?.within
    if (within !== undefined && !(old.has(within) && now.has(within))) return []
    const was = before ?? NOTHING
    const is = after ?? NOTHING
    // an entry that allows nothing equals a missing entry, so a new PHI field without grants is no change
    if (!either || (was.shown === is.shown && was.height === is.height) || (isNothing(was) && isNothing(is))) return []
    const change = { subject: either.subject, what: either.what, before: was.shown, after: is.shown }
    return [{ direction: is.height >= was.height ? 'widened' : 'narrowed', change }]
  })
}

function facts(lines: readonly LockLine[]): ReadonlyMap<string, Fact> {
  const found = new Map<string, Fact>()
  for (const fact of lines.flatMap(factsOf)) {
    const key = `${fact.subject} ${fact.what}`
    // if several grants apply, the caller gets the most revealing one
    if ((found.get(key)?.height ?? -Infinity) < fact.height) found.set(key, fact)
  }
  return found
}

function factsOf({ kind, subject, values }: LockLine): readonly Fact[] {
  const value = (name: string) => values.get(name) ?? ''
  const all = (name: string) => (value(name) === '-' ? [] : value(name).split(','))
  const allowed = (what: string, yes: boolean, of = subject): Fact => ({
    subject: of,
    what,
    shown: yes ? 'yes' : 'no',
    height: yes ? 1 : 0,
  })
  switch (kind) {
    case 'grant':
      return all('roles').flatMap((role) =>
        all('purposes').flatMap((purpose) =>
          all('actions').flatMap((action) => {
            const what = `${role} for ${purpose} as ${value('relationship')}: ${action}`
            const view = { subject, what, shown: value('view'), height: height(value('view')) }
            // break-glass replaces the purpose TREAT and care team membership, so the argument affects no other grant
            const acceptsBreakGlass = purpose === 'TREAT' && value('relationship') === 'CARE_TEAM'
            return acceptsBreakGlass ? [view, allowed(`${what} by break-glass`, value('breakGlass') === 'yes')] : [view]
          }),
        ),
      )
    case 'role':
      return [
        ...all('mayClaim').map((purpose) => allowed(`may claim ${purpose}`, true, `role ${subject}`)),
        allowed('sees existence', value('seesExistence') === 'yes', `role ${subject}`),
        allowed('without a second factor', value('mfa') === 'no', `role ${subject}`),
      ]
    case 'consent':
      // without its rule a sensitivity closes nothing, so every rule ranks below a missing rule
      return [
        { subject: `consent ${subject}`, what: 'rule', shown: value('rule'), height: value('rule') === 'REQUIRED' ? -2 : -1 },
        allowed('opened by break-glass', value('breakGlass') === 'yes', `consent ${subject}`),
        allowed('open to the patient', value('ownAccess') === 'yes', `consent ${subject}`),
      ]
    case 'confidentiality': {
      const closed = { subject: `confidentiality ${subject}`, what: 'closed to other relationships' }
      const opened = [
        ...all('opensTo').map((relationship) => allowed(`opened to ${relationship}`, true, closed.subject)),
        allowed('opened by break-glass', value('breakGlass') === 'yes', closed.subject),
      ]
      // without its line a confidentiality closes nothing, so every line narrows
      return [
        { ...closed, shown: 'yes', height: -1 },
        ...opened.map((fact) => ({ ...fact, within: `${closed.subject} ${closed.what}` })),
      ]
    }
    case 'phi':
      return [
        ...all('sensitivity').map((label) => ({ subject, what: `protected as ${label}`, shown: 'yes', height: -1 })),
        ...(values.has('freeText') ? all('freeText') : []).map((member) => {
          return { subject, what: `withheld from research as free text: ${member}`, shown: 'yes', height: -1 }
        }),
      ]
    case 'reads':
      return [{ subject, what: `needs ${value('field')}`, shown: 'yes', height: -1 }]
    case 'class':
      return [allowed('given to every caller as not PHI', value('is') === 'NOT_PHI')]
    case 'call':
      return all('roles').flatMap((role) => [
        allowed(`called by ${role}`, true),
        allowed(`called by ${role} without a recent sign-in`, value('stepUp') === 'no'),
      ])
    // an index opens nothing by itself: the grants decide which callers may search
    case 'searchable':
      return [allowed('searched alone', value('alone') !== 'no')]
    // a token opens nothing, but it leaves the seal of its field
    case 'comparison':
      return [allowed(`compared with the workforce as ${value('as')}`, true)]
    case 'notice':
    case 'record':
    case 'notPhi':
      return []
  }
  return kind satisfies never
}

function height(view: string): number {
  return isView(view) ? VIEWS[view].rank : 0
}

/** The differences in text between lines of the same kind and subject that have the same effect on access. */
function compareText(
  old: readonly LockLine[],
  now: readonly LockLine[],
  isComparable: (line: LockLine) => boolean,
): readonly Directed[] {
  const before = byPlace(old)
  const after = byPlace(now)
  const places = [...new Set([...before.keys(), ...after.keys()])].toSorted()
  return places.flatMap((place): readonly Directed[] => {
    const was = before.get(place) ?? []
    const is = after.get(place) ?? []
    if (text(was) === text(is) || compareFacts(facts(was.filter(isComparable)), facts(is.filter(isComparable))).length > 0)
      return []
    const [kind = '', subject = ''] = place.split(' ')
    return [{ direction: 'other', change: { subject, what: kind, before: text(was) || 'none', after: text(is) || 'none' } }]
  })
}

function byPlace(lines: readonly LockLine[]): ReadonlyMap<string, readonly LockLine[]> {
  return Map.groupBy(lines, ({ kind, subject }) => `${kind} ${subject}`)
}

/** The lines without their kind and subject. */
function text(lines: readonly LockLine[]): string {
  return lines.map((line) => line.text.slice(line.kind.length + line.subject.length + 2)).join('; ')
}
