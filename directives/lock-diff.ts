import { isView, VIEWS } from './views.ts'
import { parseLock, type LockLine } from './lock.ts'
import type { View } from './policy.ts'

/** One thing that two locks say differently; `none` stands for nothing there. */
interface LockChange {
  /** `Patient.birthDate`, `role BILLING`. */
  readonly subject: string
  /** `BILLING for HPAYMT as ORGANIZATION: READ`, `may claim HRESCH`. */
  readonly what: string
  readonly before: string
  readonly after: string
}

export interface LockDiff {
  /** Somebody may see, or claim, more than before. */
  readonly widened: readonly LockChange[]
  readonly narrowed: readonly LockChange[]
  /** Neither: reasons, categories, rules that moved. */
  readonly other: readonly LockChange[]
}

/**
 * Tells what a change of policy lets people see more of and less of, by role x purpose x relationship x path.
 *
 * Two views that cannot be compared count as widened: the new one shows what the old one did not.
 *
 * @throws LockUnreadable when either text is no lock
 */
export function diffLocks(before: string, after: string): LockDiff {
  const old = parseLock(before)
  const now = parseLock(after)
  const stays = inBoth(old, now)
  const changes = [...compareFacts(facts(old.filter(stays)), facts(now.filter(stays))), ...compareText(old, now, stays)]
  const by = (wanted: Direction) => changes.filter(({ direction }) => direction === wanted).map(({ change }) => change)
  return { widened: by('widened'), narrowed: by('narrowed'), other: by('other') }
}

/**
 * Whether a line can be compared at all. An argument that came or went with its whole field holds nothing back and opens
 * nothing: there was, or is, no list to filter.
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

/** The diff for people: widened first, since that is what a reviewer has to agree to. Empty when nothing differs. */
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

/** Something that a lock allows, how it is printed, and how much it allows: the higher, the more. */
interface Fact {
  readonly subject: string
  readonly what: string
  readonly shown: string
  readonly height: number
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
    const was = before ?? NOTHING
    const is = after ?? NOTHING
    // something new that allows nothing is as little as nothing there: a new field is not widened by being PHI
    if (!either || (was.shown === is.shown && was.height === is.height) || (isNothing(was) && isNothing(is))) return []
    const change = { subject: either.subject, what: either.what, before: was.shown, after: is.shown }
    return [{ direction: is.height >= was.height ? 'widened' : 'narrowed', change }]
  })
}

function facts(lines: readonly LockLine[]): ReadonlyMap<string, Fact> {
  const found = new Map<string, Fact>()
  for (const fact of lines.flatMap(factsOf)) {
    const key = `${fact.subject} ${fact.what}`
    // several grants of one cell: the most revealing one is what the caller gets
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
            // an emergency stands for treatment and a missing place on the care team; on any other grant the word says nothing
            const emergency = purpose === 'TREAT' && value('relationship') === 'CARE_TEAM'
            return emergency ? [view, allowed(`${what} in an emergency`, value('breakGlass') === 'yes')] : [view]
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
      // a rule that goes away lets through what it held; so it counts as the closed side that is printed
      return [
        { subject: `consent ${subject}`, what: 'rule', shown: value('rule'), height: value('rule') === 'REQUIRED' ? -2 : -1 },
        allowed('opened in an emergency', value('breakGlass') === 'yes', `consent ${subject}`),
        allowed('open to the patient', value('ownAccess') === 'yes', `consent ${subject}`),
      ]
    case 'phi':
      return [
        ...all('sensitivity').map((label) => ({ subject, what: `held back as ${label}`, shown: 'yes', height: -1 })),
        ...(values.has('freeText') ? all('freeText') : []).map((member) => {
          return { subject, what: `kept back from research as free text: ${member}`, shown: 'yes', height: -1 }
        }),
      ]
    case 'reads':
      return [{ subject, what: `needs ${value('field')}`, shown: 'yes', height: -1 }]
    case 'class':
      return [allowed('given to everybody as not PHI', value('is') === 'NOT_PHI')]
    case 'call':
      return all('roles').flatMap((role) => [
        allowed(`called by ${role}`, true),
        allowed(`called by ${role} without a recent sign-in`, value('stepUp') === 'no'),
      ])
    // an index lets nobody read: who may search by it, grants say
    case 'searchable':
    case 'notice':
    case 'record':
    case 'notPhi':
      return []
  }
  return kind satisfies never
}

function height(view: string): number {
  return isView(view) ? VIEWS[view satisfies View].reveals : 0
}

/** Lines of one kind and subject that differ without any difference in what they allow. */
function compareText(old: readonly LockLine[], now: readonly LockLine[], stays: (line: LockLine) => boolean): readonly Directed[] {
  const before = byPlace(old)
  const after = byPlace(now)
  const places = [...new Set([...before.keys(), ...after.keys()])].toSorted()
  return places.flatMap((place): readonly Directed[] => {
    const was = before.get(place) ?? []
    const is = after.get(place) ?? []
    if (text(was) === text(is) || compareFacts(facts(was.filter(stays)), facts(is.filter(stays))).length > 0) return []
    const [kind = '', subject = ''] = place.split(' ')
    return [{ direction: 'other', change: { subject, what: kind, before: text(was) || 'none', after: text(is) || 'none' } }]
  })
}

function byPlace(lines: readonly LockLine[]): ReadonlyMap<string, readonly LockLine[]> {
  return Map.groupBy(lines, ({ kind, subject }) => `${kind} ${subject}`)
}

/** What the lines say beyond their kind and subject. */
function text(lines: readonly LockLine[]): string {
  return lines.map((line) => line.text.slice(line.kind.length + line.subject.length + 2)).join('; ')
}
