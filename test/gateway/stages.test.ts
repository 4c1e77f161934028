import { describe, expect, it, vi } from 'vitest'
import type { AuthFailurePort } from '../../gateway/access/auth-failure-counter.ts'
import type { Sessions } from '../../gateway/access/sessions.ts'
import type { StudySource } from '../../gateway/access/studies.ts'
import type { SchemaPath } from '../../directives/coordinates.ts'
import type { Relationship } from '../../directives/policy.ts'
import type { GatewayParts } from '../../gateway/gateway-parts.ts'
import type { HttpRequest } from '../../gateway/http/messages.ts'
import { SessionExpired, Unauthenticated } from '../../gateway/model/failures.ts'
import type { Resolver } from '../../gateway/mutations/gateway-context.ts'
import type { MutationPorts } from '../../gateway/mutations/mutation-scope.ts'
import { NOT_PHI, PHI, sdl } from '../directives/clinic-fixture.ts'
import { callerWith, NOW } from './decide/clinic-policy.ts'
import { bodyOf, gatewayOver } from './stand-ins.ts'

const SDL = sdl(
  `id: ID! ${NOT_PHI}
name: String ${PHI}`,
  `extend type Query { me: Me }
type Me { user: String! ${NOT_PHI} }`,
)
const QUERY = '{ me { user } }'
const nobody = { periods: () => Promise.resolve(new Map()), panel: () => Promise.resolve([]) }
const relationships: GatewayParts['relationships'] = new Map([['CARE_TEAM' as Relationship, nobody]])
const researcher = callerWith(['RESEARCHER'], 'HRESCH', { fhirUser: 'Practitioner/researcher' })

const unused = () => {
  throw new TypeError('no test ends a session')
}
const NO_SESSIONS: Sessions = { admit: () => Promise.resolve(), ending: unused, revocation: unused, forget: unused }

/** The services of a gateway. Each does its part, unless a test replaces it. */
interface Services {
  callerOf: () => Promise<typeof researcher>
  admit: () => Promise<void>
  studies: StudySource['studies']
  me: Resolver
  readonly authFailures?: AuthFailurePort
  readonly mutations?: GatewayParts['mutations']
  readonly breakGlass?: GatewayParts['breakGlass']
}

const SOUND: Services = {
  callerOf: () => Promise.resolve(researcher),
  admit: () => Promise.resolve(),
  studies: () => Promise.resolve([]),
  me: (_source, _args, { scope }) => ({ user: scope.caller.user }),
}

/** A gateway with services that record the stage that calls them. */
async function observed(changes: Partial<Services> = {}) {
  const { callerOf, admit, studies, me, authFailures, mutations, breakGlass } = { ...SOUND, ...changes }
  const visited: string[] = []
  const visit = (stage: string): void => {
    if (visited.at(-1) !== stage) visited.push(stage)
  }
  const { gateway, log, events } = await gatewayOver(SDL, {
    relationships,
    resolvers: {
      Query: {
        person: () => null,
        me: (source, args, context, info) => {
          visit('execute')
          context.scope.trail.record({ path: 'Query.me' as SchemaPath, action: 'READ', outcome: 'ABSENT' })
          return me(source, args, context, info)
        },
      },
    },
    identity: () => ({
      callerOf: () => {
        visit('identify')
        return callerOf()
      },
    }),
    sessions: () => ({
      ...NO_SESSIONS,
      admit: () => {
        visit('admit session')
        return admit()
      },
    }),
    studies: {
      studies: (...args) => {
        visit('resolve subject')
        return studies(...args)
      },
      subjects: () => nobody,
    },
    ...(authFailures && { authFailures }),
    ...(mutations && { mutations }),
    ...(breakGlass && { breakGlass }),
  })
  const append = log.append.bind(log)
  log.append = (...args) => {
    visit('settle')
    return append(...args)
  }
  const ask = (changed: { type?: string; body?: string; method?: string; deadline?: number } = {}) => {
    const { type = 'application/json', body = JSON.stringify({ query: QUERY }), method = 'POST', deadline } = changed
    const request: HttpRequest = {
      method,
      headers: {
        get 'content-type'() {
          visit('negotiate')
          return type
        },
      },
      get body() {
        visit('parse')
        return body
      },
      ...(deadline !== undefined && { deadline }),
    }
    return gateway.handle(request)
  }
  return { ask, visited, events }
}

const STAGES = ['identify', 'admit session', 'negotiate', 'parse', 'resolve subject', 'execute', 'settle'] as const

describe('P3: a request passes the stages in one order', () => {
  it('identify, admit session, negotiate, parse, resolve subject, execute, settle', async () => {
    const { ask, visited } = await observed()
    const answer = await ask()
    expect([answer.status, bodyOf(answer).data]).toEqual([200, { me: { user: 'user-1' } }])
    expect(visited).toEqual(STAGES)
  })

  it.each<[(typeof STAGES)[number], Partial<Services>, Parameters<Awaited<ReturnType<typeof observed>>['ask']>[0], number]>([
    ['identify', { callerOf: () => Promise.reject(new Unauthenticated()) }, {}, 401],
    ['admit session', { admit: () => Promise.reject(new SessionExpired()) }, {}, 401],
    ['negotiate', {}, { type: 'text/plain' }, 415],
    ['parse', {}, { body: '{' }, 400],
    ['resolve subject', { studies: () => Promise.reject(new TypeError('not a store')) }, {}, 500],
  ])('a refusal of "%s" runs no later stage', async (stage, changes, changed, status) => {
    const { ask, visited } = await observed(changes)
    const answer = await ask(changed)
    expect(answer.status).toBe(status)
    expect(bodyOf(answer)).not.toHaveProperty('data')
    expect(visited).toEqual(STAGES.slice(0, STAGES.indexOf(stage) + 1))
  })

  it('the first of several faults decides the answer', async () => {
    const faulty = { type: 'text/plain', body: '{' }
    const unknown = await observed({
      callerOf: () => Promise.reject(new Unauthenticated()),
      admit: () => Promise.reject(new SessionExpired()),
    })
    expect(bodyOf(await unknown.ask(faulty)).errors?.[0]?.extensions['code']).toBe('UNAUTHENTICATED')
    const expired = await observed({ admit: () => Promise.reject(new SessionExpired()) })
    expect(bodyOf(await expired.ask(faulty)).errors?.[0]?.extensions['code']).toBe('SESSION_EXPIRED')
    const known = await observed()
    expect((await known.ask(faulty)).status).toBe(415)
  })

  it('a document that does not fit the schema is neither executed nor recorded', async () => {
    const { ask, visited } = await observed()
    expect((await ask({ body: '{"query":"{ unknown }"}' })).status).toBe(400)
    expect(visited).toEqual(STAGES.slice(0, STAGES.indexOf('execute')))
  })

  it('a method other than POST reaches no stage', async () => {
    const { ask, visited } = await observed()
    expect((await ask({ method: 'GET' })).status).toBe(405)
    expect(visited).toEqual([])
  })
})

describe('P2: the deadline ends a request without data', () => {
  it('answers AUDIT_UNAVAILABLE while a stage hangs, and reports the values that were opened', async () => {
    const { ask, visited, events } = await observed({
      me: (_source, _args, { scope: { counter } }) => {
        counter.resolved = 3
        counter.metadata = 2
        return new Promise(() => undefined)
      },
    })
    const answer = await ask({ deadline: NOW + 100 })
    expect(answer.status).toBe(503)
    expect(bodyOf(answer)).not.toHaveProperty('data')
    expect(bodyOf(answer).errors?.map(({ extensions }) => extensions['code'])).toEqual(['AUDIT_UNAVAILABLE'])
    expect(visited).toEqual(STAGES.slice(0, STAGES.indexOf('settle')))
    expect(events).toMatchObject([{ event: 'REQUEST', status: 503, resolved: 0, metadata: 2 }])
  })

  it('runs no stage after the deadline', async () => {
    const { ask, visited } = await observed()
    expect((await ask({ deadline: NOW })).status).toBe(503)
    expect(visited).toEqual([])
  })

  it('gives authentication a share of the time: a caller that is not authenticated by then is refused', async () => {
    const { ask, visited } = await observed({ callerOf: () => new Promise(() => undefined) })
    expect((await ask({ deadline: NOW + 200 })).status).toBe(401)
    expect(visited).toEqual(['identify'])
  })
})

describe('failed authentications', () => {
  const counting = () => {
    const calls: string[] = []
    const authFailures: AuthFailurePort = {
      count: (source, fault) => void calls.push(`count ${source ?? 'unknown'} ${fault}`),
      startFlush: () => void calls.push('start'),
      flush: () => Promise.resolve(void calls.push('flush')),
    }
    return { authFailures, calls }
  }

  it('are counted, and only a 401 waits for the flush', async () => {
    const { authFailures, calls } = counting()
    const { ask } = await observed({ authFailures, callerOf: () => Promise.reject(new Unauthenticated({ fault: 'EXPIRED' })) })
    await ask()
    expect(calls).toEqual(['start', 'count unknown EXPIRED', 'flush'])
  })

  it('are counted apart from other refusals', async () => {
    for (const changed of [{}, { type: 'text/plain' }, { body: '{' }, { method: 'GET' }]) {
      const { authFailures, calls } = counting()
      const { ask } = await observed({ authFailures })
      await ask(changed)
      expect(calls).toEqual(['start'])
    }
  })
})

describe('the services of mutations', () => {
  const breakGlass = { activeGrants: () => Promise.resolve(new Map()) }
  const portsOf = async (changes: Partial<Services>): Promise<MutationPorts> => {
    const me = vi.fn<Resolver>(() => null)
    const { ask } = await observed({ ...changes, me })
    await ask()
    return me.mock.calls[0]?.[2].mutations.ports ?? {}
  }
  const physician = () => Promise.resolve(callerWith(['PHYSICIAN'], 'TREAT'))

  it('reach the mutations as one object', async () => {
    const own = { ...NO_SESSIONS }
    const ports = await portsOf({ breakGlass, callerOf: physician, mutations: { sessions: own } })
    expect(ports.sessions).toBe(own)
    expect(ports.breakGlass).toBe(breakGlass)
  })

  it('have the sessions of the gateway by default', async () => {
    expect(Object.keys(await portsOf({ callerOf: physician }))).toEqual(['sessions'])
  })

  it('have no break-glass for a researcher', async () => {
    expect(await portsOf({ breakGlass })).not.toHaveProperty('breakGlass')
  })
})
