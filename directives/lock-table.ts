import { ACTIONS } from './actions.ts'
import type { Coordinate, SchemaPath, TypeName } from './coordinates.ts'
import { type LockLine, LockUnreadable, parseLock } from './lock.ts'
import type {
  CallPolicy,
  Category,
  ConsentPolicy,
  CoordinateClass,
  Grant,
  Identifier,
  PhiPolicy,
  PolicyTable,
  RecordLabel,
  RecordPolicy,
  Relationship,
  Role,
  RolePolicy,
  Sensitivity,
  View,
} from './policy.ts'
import { PURPOSES_OF_USE } from './policy.ts'
import { VIEWS } from './view-rules.ts'

/** The part of a policy table that decides: everything that a lock has, except free text, arguments, indexes and reasons. */
export type LockTable = Pick<PolicyTable, 'phi' | 'records' | 'classes' | 'computed' | 'calls' | 'roles' | 'consent'>

interface Tables {
  readonly phi: Map<SchemaPath, PhiPolicy & { readonly grants: Grant[] }>
  readonly records: Map<TypeName, RecordPolicy>
  readonly classes: Map<Coordinate, CoordinateClass>
  readonly computed: Map<SchemaPath, readonly SchemaPath[]>
  readonly calls: Map<Coordinate, CallPolicy>
  readonly roles: Map<Role, RolePolicy>
  readonly consent: Map<RecordLabel, ConsentPolicy>
}

const VIEW_NAMES = Object.keys(VIEWS) as View[]
const ROLE_KINDS = ['CLINICIAN', 'STAFF', 'RESEARCH', 'PATIENT', 'PARTNER', 'OVERSIGHT'] as const
const CONSENT_RULES = ['REQUIRED', 'HONOR_DENIAL'] as const
const PHI_CLASSES = ['VALUE', 'EDGE'] as const
const CLASSES = ['ROOT', 'EDGE', 'VALUE', 'EMBEDDED', 'NOT_PHI', 'STRUCTURE'] as const

/**
 * Reads the table back from the text that `renderLock` prints. It needs no schema, so that a verifier decides by a lock alone.
 *
 * @throws LockUnreadable for a text that is no lock, and for a value that no decision knows
 */
export function readLock(text: string): LockTable {
  const tables: Tables = {
    phi: new Map(),
    records: new Map(),
    classes: new Map(),
    computed: new Map(),
    calls: new Map(),
    roles: new Map(),
    consent: new Map(),
  }
  for (const [index, line] of parseLock(text).entries()) {
    // the header is line 1
    if (!add(tables, line, new Values(line, index + 2))) throw new LockUnreadable(index + 2)
  }
  return tables
}

/** The values of a line. Each reader throws if the line lacks the value, or has another one. */
class Values {
  readonly #line: LockLine
  readonly #number: number

  constructor(line: LockLine, number: number) {
    this.#line = line
    this.#number = number
  }

  has(name: string): boolean {
    return this.#line.values.has(name)
  }

  text(name: string): string {
    const value = this.#line.values.get(name)
    if (value === undefined) throw new LockUnreadable(this.#number)
    return value
  }

  list(name: string): readonly string[] {
    const value = this.text(name)
    return value === '-' ? [] : value.split(',')
  }

  flag(name: string): boolean {
    return this.one(name, ['yes', 'no']) === 'yes'
  }

  one<T extends string>(name: string, known: readonly T[]): T {
    return this.#known(this.text(name), known)
  }

  some<T extends string>(name: string, known: readonly T[]): readonly T[] {
    return this.list(name).map((value) => this.#known(value, known))
  }

  #known<T extends string>(value: string, known: readonly T[]): T {
    const found = known.find((one) => one === value)
    if (found === undefined) throw new LockUnreadable(this.#number)
    return found
  }
}

/** @returns false if the line contradicts another one */
function add(tables: Tables, { kind, subject }: LockLine, values: Values): boolean {
  switch (kind) {
    case 'role': {
      const role = subject as Role
      return isNew(tables.roles, role, {
        role,
        kind: values.one('kind', ROLE_KINDS),
        mayClaim: values.some('mayClaim', PURPOSES_OF_USE),
        mfa: values.flag('mfa'),
        seesExistence: values.flag('seesExistence'),
      })
    }
    case 'consent':
      return isNew(tables.consent, subject as RecordLabel, {
        rule: values.one('rule', CONSENT_RULES),
        breakGlass: values.flag('breakGlass'),
        ownAccess: values.flag('ownAccess'),
        opensTo: 'ANY',
      })
    case 'confidentiality':
      return isNew(tables.consent, subject as RecordLabel, {
        rule: 'HONOR_DENIAL',
        breakGlass: values.flag('breakGlass'),
        ownAccess: true,
        opensTo: new Set(values.list('opensTo') as readonly Relationship[]),
      })
    case 'call':
      return isNew(tables.calls, subject as Coordinate, {
        roles: new Set(values.list('roles') as readonly Role[]),
        stepUp: values.flag('stepUp'),
      })
    case 'record': {
      const type = subject as TypeName
      return isNew(tables.records, type, { type, patient: values.text('patient'), source: values.text('source') })
    }
    case 'class':
      return isNew(tables.classes, subject as Coordinate, values.one('is', CLASSES))
    case 'phi':
      return addPhi(tables, subject as SchemaPath, values)
    case 'grant':
      return addGrant(tables, subject as SchemaPath, values)
    case 'notice':
    case 'reads':
    case 'searchable':
    case 'comparison':
    case 'notPhi':
      return true
  }
  return kind satisfies never
}

function isNew<Key, Value>(map: Map<Key, Value>, key: Key, value: Value): boolean {
  if (map.has(key)) return false
  map.set(key, value)
  return true
}

function addPhi({ phi, computed }: Tables, path: SchemaPath, values: Values): boolean {
  if (values.has('computed')) computed.set(path, values.list('computed') as readonly SchemaPath[])
  const identifier = values.text('identifier')
  return isNew(phi, path, {
    path,
    coordinate: values.text('at') as Coordinate,
    class: values.one('class', PHI_CLASSES),
    category: values.text('category') as Category,
    ...(identifier !== '-' && { identifier: identifier as Identifier }),
    sensitivity: new Set(values.list('sensitivity') as readonly Sensitivity[]),
    grants: [],
  })
}

function addGrant({ phi }: Tables, path: SchemaPath, values: Values): boolean {
  const grants = phi.get(path)?.grants
  const rule = values.text('rule')
  if (grants === undefined || grants.some((grant) => grant.rule === rule)) return false
  grants.push({
    roles: new Set(values.list('roles') as readonly Role[]),
    purposes: new Set(values.some('purposes', PURPOSES_OF_USE)),
    relationship: values.text('relationship') as Relationship,
    actions: new Set(values.some('actions', ACTIONS)),
    view: values.one('view', VIEW_NAMES),
    breakGlass: values.flag('breakGlass'),
    rule,
  })
  return true
}
