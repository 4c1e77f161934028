import fc from 'fast-check'
import { getNamedType, type GraphQLField, type GraphQLSchema, isObjectType } from 'graphql'
import { connectionTarget, fieldsOf, type PlainSchema } from './plain-schema.ts'

/** A tree that is printed as an operation. */
type Selection =
  | {
      readonly kind: 'field'
      readonly type: string
      readonly name: string
      readonly alias: string | undefined
      readonly args: readonly Argument[]
      /** The number of records before the cursor, if a cursor is given. */
      readonly pass?: number | undefined
      readonly when: Condition
      readonly sub: readonly Selection[] | undefined
    }
  | {
      readonly kind: 'fragment'
      /** Undefined without a type condition, which only an inline fragment can omit. */
      readonly on: string | undefined
      readonly type: string
      readonly named: boolean
      readonly when: Condition
      readonly sub: readonly Selection[]
    }
  /** A further use of a named fragment. */
  | { readonly kind: 'again'; readonly type: string; readonly which: number }

interface Argument {
  readonly name: string
  readonly value: string | number | null
  readonly how: 'literal' | 'variable' | 'default' | 'missing'
}

/** The `@include` and `@skip` conditions of a selection. */
type Condition = readonly {
  readonly directive: 'include' | 'skip'
  readonly value: boolean
  readonly how: 'literal' | 'variable' | 'default'
}[]

/** A list with a request for its second page. The first page is requested beforehand, for its cursor. */
interface Pass {
  readonly variable: string
  readonly count: number
  /** An operation with a first `endCursor` after `count` records. */
  readonly query: string
}

export interface Operation {
  readonly text: string
  readonly variables: Readonly<Record<string, unknown>>
  readonly passes: readonly Pass[]
}

/** The values that arguments are drawn from. */
export interface Pools {
  /** Ids by the type of their record. More revealing ids come first. */
  readonly ids: ReadonlyMap<string, readonly string[]>
  /** Ids without a record, or with an invalid one. */
  readonly strangeIds: readonly string[]
  readonly codes: ReadonlyMap<string, readonly string[]>
  readonly categories: readonly string[]
  readonly dates: readonly string[]
  /** Fields that some role reads in a partial view. They are drawn more often than others. */
  readonly telling: ReadonlySet<string>
}

const EDGES_DEEP = 3
const WRAPS_DEEP = 2
const MAX_SELECTIONS = 60
/** Field names that serve as aliases of other fields. */
const ALIASES = ['a', 'b', 'id', 'ssn', 'familyName', 'status', 'code', 'period', 'node', 'edges', 'encounter', 'patient']

/** Operations over the clinic: any part of its schema, in any combination that the grammar allows. */
export function operations(plain: PlainSchema, pools: Pools): fc.Arbitrary<Operation> {
  const grammar = new Grammar(plain, pools)
  return fc.array(grammar.root(), { minLength: 1, maxLength: 3 }).map((roots) => print(plain.schema, roots))
}

const condition: fc.Arbitrary<Condition> = fc.oneof(
  { weight: 8, arbitrary: fc.constant([]) },
  {
    weight: 2,
    arbitrary: fc.uniqueArray(
      fc.record({
        directive: fc.constantFrom('include' as const, 'skip' as const),
        value: fc.boolean(),
        how: fc.constantFrom('literal' as const, 'variable' as const, 'default' as const),
      }),
      { minLength: 1, maxLength: 2, selector: ({ directive }) => directive },
    ),
  },
)

class Grammar {
  readonly #plain: PlainSchema
  readonly #pools: Pools
  readonly #known = new Map<string, fc.Arbitrary<readonly Selection[]>>()

  constructor(plain: PlainSchema, pools: Pools) {
    this.#plain = plain
    this.#pools = pools
  }

  root(): fc.Arbitrary<Selection> {
    const types = this.#plain.recordTypes
    const record = this.#selections('Patient', EDGES_DEEP, WRAPS_DEEP)
    return fc.oneof(
      { weight: 6, arbitrary: this.#byId('patient', this.#ids('Patient'), this.#withPages(record)) },
      {
        weight: 5,
        arbitrary: fc.oneof(
          ...types.map((type) => this.#byId('node', this.#ids(type), this.#asNode(type, EDGES_DEEP - 1, WRAPS_DEEP))),
        ),
      },
      { weight: 4, arbitrary: this.#field('Query', 'patients', EDGES_DEEP - 1, WRAPS_DEEP, true) },
      { weight: 1, arbitrary: this.#field('Query', 'viewer', 0, 0) },
    )
  }

  #byId(name: string, ids: fc.Arbitrary<string>, sub: fc.Arbitrary<readonly Selection[]>): fc.Arbitrary<Selection> {
    return fc.record({
      kind: fc.constant('field' as const),
      type: fc.constant('Query'),
      name: fc.constant(name),
      alias: this.#alias(),
      args: fc
        .record({ name: fc.constant('id'), value: ids, how: fc.constantFrom('literal', 'variable', 'default') })
        .map((one) => [one]),
      when: condition,
      sub,
    })
  }

  #ids(type: string): fc.Arbitrary<string> {
    const { ids, strangeIds } = this.#pools
    return fc.oneof(
      { weight: 7, arbitrary: fc.constantFrom(...(ids.get(type) ?? strangeIds)) },
      { weight: 1, arbitrary: fc.constantFrom(...strangeIds) },
    )
  }

  /** Adds lists of a patient with a request for a later page. */
  #withPages(selections: fc.Arbitrary<readonly Selection[]>): fc.Arbitrary<readonly Selection[]> {
    const lists = this.#fieldsOf('Patient').filter(({ type }) => connectionTarget(getNamedType(type)) !== undefined)
    const page = fc.oneof(...lists.map(({ name }) => this.#field('Patient', name, 1, 1, true)))
    return fc
      .tuple(selections, fc.oneof({ weight: 4, arbitrary: fc.constant([]) }, { weight: 1, arbitrary: page.map((one) => [one]) }))
      .map(([some, pages]) => [...some, ...pages])
  }

  /** Fields of any record, reached as a `Node`, mostly of its own type. */
  #asNode(type: string, edges: number, wraps: number): fc.Arbitrary<readonly Selection[]> {
    return fc.array(
      fc.oneof(
        { weight: 6, arbitrary: this.#fragment(type, type, edges, wraps) },
        { weight: 1, arbitrary: this.#fragment('Patient', 'Patient', 0, 0) },
        { weight: 1, arbitrary: this.#field('Node', 'id', 0, 0) },
      ),
      { minLength: 1, maxLength: 3 },
    )
  }

  #selections(type: string, edges: number, wraps: number): fc.Arbitrary<readonly Selection[]> {
    const key = `${type} ${edges} ${wraps}`
    const known = this.#known.get(key)
    if (known !== undefined) return known
    const made = fc.array(this.#selection(type, edges, wraps), { minLength: 1, maxLength: this.#isRecord(type) ? 5 : 3 })
    this.#known.set(key, made)
    return made
  }

  #selection(type: string, edges: number, wraps: number): fc.Arbitrary<Selection> {
    const inner = this.#fieldsOf(type)
    const leaves = inner
      .filter((field) => !this.#leadsOn(field))
      .flatMap((field) => (this.#pools.telling.has(field.name) ? [field, field, field] : [field]))
    const onward = edges > 0 ? inner.filter((field) => this.#leadsOn(field)) : []
    // a selection of a list is mostly a selection of its entries
    const isList = type.endsWith('Connection') || type.endsWith('Edge')
    return fc.oneof(
      { weight: isList ? 1 : 8, arbitrary: fc.oneof(...leaves.map(({ name }) => this.#field(type, name, edges, wraps))) },
      ...(onward.length === 0
        ? []
        : [
            {
              weight: isList ? 8 : 4,
              arbitrary: fc.oneof(...onward.map(({ name }) => this.#field(type, name, isList ? edges : edges - 1, wraps))),
            },
          ]),
      ...(wraps === 0 ? [] : [{ weight: 2, arbitrary: this.#fragment(type, type, edges, wraps - 1) }]),
      ...(wraps === 0 || !this.#isRecord(type)
        ? []
        : [
            {
              weight: 1,
              arbitrary: this.#wrap(
                type,
                'Node',
                fc.oneof(this.#fragment(type, type, edges, 0), this.#field('Node', 'id', 0, 0)).map((one) => [one]),
              ),
            },
          ]),
      { weight: 1, arbitrary: fc.record({ kind: fc.constant('again' as const), type: fc.constant(type), which: fc.nat(3) }) },
    )
  }

  #fragment(type: string, on: string, edges: number, wraps: number): fc.Arbitrary<Selection> {
    return this.#wrap(type, on, this.#selections(on, edges, wraps))
  }

  #wrap(type: string, on: string, sub: fc.Arbitrary<readonly Selection[]>): fc.Arbitrary<Selection> {
    return fc.record({
      kind: fc.constant('fragment' as const),
      type: fc.constant(type),
      on: fc.constant(on),
      named: fc.boolean(),
      when: condition,
      sub,
    })
  }

  #field(type: string, name: string, edges: number, wraps: number, paged = false): fc.Arbitrary<Selection> {
    const field = this.#fieldsOf(type).find((one) => one.name === name)
    const target = field && getNamedType(field.type)
    return fc.record({
      kind: fc.constant('field' as const),
      type: fc.constant(type),
      name: fc.constant(name),
      alias: this.#alias(),
      args: field === undefined || target === undefined ? fc.constant([]) : this.#arguments(field, connectionTarget(target) ?? ''),
      pass: paged ? fc.option(fc.integer({ min: 1, max: 4 }), { nil: undefined }) : fc.constant(undefined),
      when: condition,
      sub: !isObjectType(target) ? fc.constant(undefined) : this.#selections(target.name, edges, wraps),
    })
  }

  #alias(): fc.Arbitrary<string | undefined> {
    return fc.oneof({ weight: 3, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: fc.constantFrom(...ALIASES) })
  }

  #arguments(field: GraphQLField<unknown, unknown>, target: string): fc.Arbitrary<readonly Argument[]> {
    const { codes, categories, dates } = this.#pools
    const pools: Readonly<Record<string, readonly (string | number | null)[]>> = {
      first: [1, 2, 3, 5],
      since: [...dates, null],
      until: [...dates, null],
      code: [...(codes.get(target) ?? []), 'none', null],
      category: [...categories, null],
    }
    const drawn = field.args.flatMap(({ name }) => {
      const pool = pools[name]
      if (pool === undefined) return []
      const how = fc.constantFrom<Argument['how']>(
        'literal',
        'variable',
        'default',
        ...(name === 'first' ? [] : (['missing'] as const)),
      )
      const argument = fc.record({ name: fc.constant(name), value: fc.constantFrom(...pool), how }).map((one) => [one])
      // Most lists are bounded: an answer of some hundred values proves no more than one of ten.
      return fc.oneof(
        { weight: name === 'first' ? 1 : 4, arbitrary: fc.constant([]) },
        { weight: name === 'first' ? 6 : 1, arbitrary: argument },
      )
    })
    return drawn.length === 0 ? fc.constant([]) : fc.tuple(...drawn).map((some) => some.flat())
  }

  #fieldsOf(type: string): readonly GraphQLField<unknown, unknown>[] {
    // the end of the session depends on the token
    return Object.values(fieldsOf(this.#plain.schema, type)).filter(({ name }) => name !== 'sessionExpiresAt')
  }

  /** Whether a field leads to a record, or to a list of records. */
  #leadsOn({ type }: GraphQLField<unknown, unknown>): boolean {
    const { name } = getNamedType(type)
    return this.#isRecord(name) || name.endsWith('Connection') || name.endsWith('Edge')
  }

  #isRecord(type: string): boolean {
    return this.#plain.recordTypes.includes(type)
  }
}

function print(schema: GraphQLSchema, roots: readonly Selection[]): Operation {
  return new Printer(schema).operation(roots)
}

class Printer {
  readonly #schema: GraphQLSchema
  readonly #fragments: { readonly name: string; readonly type: string; readonly text: string }[] = []
  readonly #declared: string[] = []
  readonly #variables: Record<string, unknown> = {}
  readonly #passes: Pass[] = []
  /**
   * The remaining selections. The gateway limits the length of a document, and a larger one would prove no more than two small
   * ones.
   */
  #room = MAX_SELECTIONS
  /** The meaning of each response key. Two fields that could merge must not share a key with different meanings. */
  readonly #keys = new Map<string, string>()

  constructor(schema: GraphQLSchema) {
    this.#schema = schema
  }

  operation(roots: readonly Selection[]): Operation {
    const body = this.#set(roots)
    const head = this.#declared.length === 0 ? 'query' : `query (${this.#declared.join(', ')})`
    const fragments = this.#fragments.map(({ name, type, text }) => `fragment ${name} on ${type} ${text}`)
    return { text: [`${head} ${body}`, ...fragments].join('\n'), variables: this.#variables, passes: this.#passes }
  }

  #set(selections: readonly Selection[], patient?: string): string {
    const printed = selections.flatMap((selection) => this.#selection(selection, patient) ?? [])
    return `{ ${(printed.length === 0 ? ['__typename'] : printed).join(' ')} }`
  }

  #selection(selection: Selection, patient: string | undefined): string | undefined {
    if (this.#room-- <= 0) return undefined
    switch (selection.kind) {
      case 'field':
        return this.#field(selection, patient)
      case 'fragment': {
        const when = this.#when(selection.when)
        const text = this.#set(selection.sub)
        const on = selection.on ?? selection.type
        if (!selection.named) return `... on ${on}${when} ${text}`
        const name = `F${this.#fragments.length}`
        this.#fragments.push({ name, type: on, text })
        return `...${name}${when}`
      }
      case 'again': {
        const fitting = this.#fragments.filter(({ type }) => type === selection.type)
        const fragment = fitting[selection.which % fitting.length]
        return fragment && `...${fragment.name}`
      }
    }
  }

  #field(field: Extract<Selection, { kind: 'field' }>, patient: string | undefined): string {
    const defined = fieldsOf(this.#schema, field.type)[field.name]
    const types = new Map(defined?.args.map(({ name, type }) => [name, String(type)]))
    const args = field.args.map((argument) => `${argument.name}: ${this.#argument(argument, types.get(argument.name) ?? '')}`)
    if (field.pass !== undefined && (field.type === 'Query' || patient !== undefined))
      args.push(this.#pass(field, field.pass, patient))
    const given = args.length === 0 ? '' : `(${args.join(', ')})`
    const key = this.#key(field.alias ?? field.name, `${field.name}${given}: ${String(defined?.type)}`)
    const when = this.#when(field.when)
    const id = field.name === 'patient' && field.type === 'Query' ? field.args[0]?.value : undefined
    const sub = field.sub === undefined ? '' : ` ${this.#set(field.sub, typeof id === 'string' ? id : undefined)}`
    return `${key === field.name ? '' : `${key}: `}${field.name}${given}${when}${sub}`
  }

  #pass({ name, args, type }: Extract<Selection, { kind: 'field' }>, count: number, patient: string | undefined): string {
    const variable = this.#declare('String')
    const filters = args.filter((one) => one.name !== 'first' && one.how !== 'missing')
    const given = [`first: ${count}`, ...filters.map((one) => `${one.name}: ${JSON.stringify(one.value)}`)].join(', ')
    const list = `list: ${name}(${given}) { pageInfo { endCursor } }`
    const query = type === 'Query' ? `{ ${list} }` : `{ patient(id: ${JSON.stringify(patient)}) { ${list} } }`
    this.#passes.push({ variable, count, query })
    return `after: $${variable}`
  }

  #argument({ value, how }: Argument, type: string): string {
    if (how === 'literal') return JSON.stringify(value)
    if (how === 'default') return `$${this.#declare(type, value)}`
    const name = this.#declare(type)
    if (how === 'variable') this.#variables[name] = value
    return `$${name}`
  }

  #when(conditions: Condition): string {
    return conditions
      .map(({ directive, value, how }) => {
        if (how === 'literal') return ` @${directive}(if: ${value})`
        const name = how === 'default' ? this.#declare('Boolean!', value) : this.#declare('Boolean!')
        if (how === 'variable') this.#variables[name] = value
        return ` @${directive}(if: $${name})`
      })
      .join('')
  }

  #declare(type: string, defaultValue?: string | number | boolean | null): string {
    const name = `v${this.#declared.length}`
    this.#declared.push(defaultValue === undefined ? `$${name}: ${type}` : `$${name}: ${type} = ${JSON.stringify(defaultValue)}`)
    return name
  }

  /** The wanted response key, or a new one if that key already has another meaning. */
  #key(wanted: string, meaning: string): string {
    for (let key = wanted, next = 0; ; key = `${wanted}${++next}`) {
      const known = this.#keys.get(key)
      if (known !== undefined && known !== meaning) continue
      this.#keys.set(key, meaning)
      return key
    }
  }
}
