import { readFileSync } from 'node:fs'
import { beforeAll, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { composeGateway, openServices } from '../../../gateway/compose.ts'
import {
  membershipRelationship,
  organizationRelationship,
  panelOf,
  patientOf,
  recordById,
  recordsOf,
} from '../../../gateway/index.ts'
import { openNotary } from '../../../gateway/open-notary.ts'
import type { Relationship } from '../../../directives/policy.ts'
import { readFragment } from '../../../infra/local/tables.ts'
import { starterEnvironment, starterFragment } from '../../../infra/npm/fragments.ts'
import { openProject, projectTypeDefs } from '../../../schema/project.ts'
import { practice, STARTER } from '../../gateway/admin/practice-policy.ts'
import { ResolvedTemplate } from '../resolved-template.ts'

const root = new URL('../../../', import.meta.url)
const fragment = starterFragment()
const resources = fragment.Resources
const ids = new Set(Object.keys(resources))

/** The objects in a value, at any depth. */
function* objectsIn(value: unknown): Generator<Readonly<Record<string, unknown>>> {
  if (typeof value !== 'object' || value === null) return
  if (!Array.isArray(value)) yield value as Readonly<Record<string, unknown>>
  for (const member of Object.values(value)) yield* objectsIn(member)
}

const PSEUDO = /^AWS::/
/** The names that a value takes from the template: `Ref`, `Fn::GetAtt`, and `${Name}` of `Fn::Sub` without variables of its own. */
function referencesIn(value: unknown): string[] {
  return [...objectsIn(value)].flatMap((one) => {
    const { Ref, 'Fn::GetAtt': attribute, 'Fn::Sub': sub, DependsOn = [] } = one
    const [text, own = {}] = (Array.isArray(sub) ? sub : [sub]) as [string | undefined, object?]
    const substituted = [...(text ?? '').matchAll(/\$\{([A-Za-z0-9:.]+)\}/g)].map(([, name = '']) => name)
    return [
      ...(typeof Ref === 'string' ? [Ref] : []),
      ...(attribute === undefined ? [] : [String(Array.isArray(attribute) ? attribute[0] : attribute).split('.')[0] ?? '']),
      // `${sls:stage}` and `${param:name}` are those of the framework
      ...substituted.filter((name) => !(name in own) && !/^(?:sls|param|opt):/.test(name)).map((name) => name.split('.')[0] ?? ''),
      ...(Array.isArray(DependsOn) ? DependsOn : [DependsOn]).map(String),
    ]
  })
}
const dangling = (value: unknown): string[] => referencesIn(value).filter((name) => !ids.has(name) && !PSEUDO.test(name))

const Starter = z.looseObject({
  functions: z.record(
    z.string(),
    z.looseObject({
      role: z.string(),
      dependsOn: z.array(z.string()),
      handler: z.string(),
      environment: z.record(z.string(), z.unknown()),
    }),
  ),
})
const starter = Starter.parse(readFragment(new URL('infra/npm/starter/serverless.yml', root)))
const own = Starter.parse(readFragment(new URL('serverless.yml', root)))

describe('the CloudFormation of the package', () => {
  it('has references to its own resources only', () => {
    expect(ids.size).toBeGreaterThan(20)
    expect(dangling(resources)).toEqual([])
    expect(dangling(starterEnvironment())).toEqual([])
    expect(dangling({ Ref: 'AuditRole', 'Fn::Sub': '${Nothing.Arn} ${AWS::Region}' })).toEqual(['AuditRole', 'Nothing'])
  })

  it('has each condition that a resource names', () => {
    const conditions = new Set(Object.keys(fragment.Conditions))
    const named = Object.values(resources)
      .flatMap((one) => [...objectsIn(one)])
      .flatMap(({ Condition, 'Fn::If': choice }) => [
        ...(typeof Condition === 'string' ? [Condition] : []),
        ...(Array.isArray(choice) ? [String(choice[0])] : []),
      ])
    expect(named.length).toBeGreaterThan(0)
    expect(named.filter((name) => !conditions.has(name))).toEqual([])
  })

  it('names the roles of its two functions, and of no other function', () => {
    const text = JSON.stringify(resources)
    expect(new Set(text.match(/\b(?!AssumeRole)[A-Z][A-Za-z]*Role\b/g))).toEqual(new Set(['GraphqlRole', 'NotaryRole']))
    expect([...ids].filter((id) => id.startsWith('AuditChanges'))).toEqual([])
  })

  it('has the resources and policies of this deployment for these functions, unchanged', () => {
    const functions = z
      .object({ Resources: z.record(z.string(), z.unknown()) })
      .parse(readFragment(new URL('infra/functions.yml', root)))
    const expected = Object.entries(functions.Resources).filter(([id]) => !id.startsWith('AuditChanges'))
    expect(expected.map(([id]) => id)).toEqual(expect.arrayContaining(['GraphqlPolicy', 'GraphqlWorkforcePolicy', 'NotaryPolicy']))
    for (const [id, resource] of expected) expect({ [id]: inLongForm(resources[id]) }).toEqual({ [id]: inLongForm(resource) })
  })

  it('grants a key to nobody if the statement was for other functions, and changes no other statement', () => {
    const policy = z.object({ Properties: z.object({ KeyPolicy: z.object({ Statement: z.array(z.unknown()) }) }) })
    const keys = z
      .object({ Resources: z.record(z.string(), z.unknown()) })
      .parse(readFragment(new URL('infra/keys.yml', root))).Resources
    for (const [id, key] of Object.entries(keys)) {
      const before = policy.safeParse(key).data?.Properties.KeyPolicy.Statement
      if (before === undefined || resources[id] === undefined) continue
      const after = policy.parse(resources[id]).Properties.KeyPolicy.Statement
      const isShared = (one: unknown): boolean => !JSON.stringify(inLongForm(one)).includes('Role","Arn"')
      expect(after.filter(isShared).length).toBe(before.filter(isShared).length)
      for (const one of after) {
        const principals = z.object({ Principal: z.object({ AWS: z.unknown() }) }).safeParse(one).data?.Principal.AWS
        expect(principals).not.toEqual([])
      }
    }
  })
})

/** The value with each `Fn::GetAtt` as a list. */
function inLongForm(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(inLongForm)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value).map(([name, member]) => [
      name,
      name === 'Fn::GetAtt' && typeof member === 'string' ? member.split('.') : inLongForm(member),
    ]),
  )
}

describe('the deployment of the starter', () => {
  it('names only roles and resources that exist', () => {
    for (const { role, dependsOn, environment } of Object.values(starter.functions)) {
      expect([role, ...dependsOn].filter((id) => !ids.has(id))).toEqual([])
      expect(dangling(environment)).toEqual([])
    }
  })

  it('waits for every policy of a role and for its log group, as this deployment does', () => {
    for (const [name, { dependsOn, role }] of Object.entries(starter.functions))
      expect({ name, role, dependsOn }).toEqual({
        name,
        role: own.functions[name]?.role,
        dependsOn: own.functions[name]?.dependsOn,
      })
  })

  it('sets no variable that this deployment does not set', () => {
    for (const [name, { environment }] of Object.entries(starter.functions))
      expect(Object.keys(own.functions[name]?.environment ?? {})).toEqual(expect.arrayContaining(Object.keys(environment)))
  })

  let template: ResolvedTemplate
  beforeAll(() => {
    template = new ResolvedTemplate('')
  })
  /** The environment that Lambda would give a function, with the defaults of all parameters. */
  const environmentOf = (name: string): Record<string, string> =>
    Object.fromEntries(
      Object.entries({ ...starterEnvironment(), ...starter.functions[name]?.environment }).map(([variable, value]) => [
        variable,
        resolved(value, template),
      ]),
    )

  it('has each variable that the gateway requires', async () => {
    const env: Readonly<Record<string, string>> = { AWS_REGION: 'us-east-1', ...environmentOf('graphql') }
    expect(env['PHI_KMS_KEY_ID']).toMatch(/^arn:aws:kms:/)
    const services = openServices(env, { events: () => undefined })
    const memberships = (name: 'CARE_TEAM' | 'SELF') =>
      [
        name as Relationship,
        membershipRelationship(name, { table: services.access, keyring: services.keyring, events: services.events }),
      ] as const
    const gateway = await composeGateway(services, env, {
      typeDefs: projectTypeDefs(openProject(STARTER)),
      lock: practice.lock,
      resolvers: {
        Query: { patient: recordById('Patient'), patients: panelOf('Patient'), visit: recordById('Visit') },
        Patient: { visits: recordsOf('Visit') },
        Visit: { patient: patientOf('Patient') },
      },
      relationships: ({ records }) =>
        new Map([
          memberships('CARE_TEAM'),
          memberships('SELF'),
          ['ORGANIZATION' as Relationship, organizationRelationship(records)],
        ]),
    })
    expect(gateway).toBeDefined()
    services.close()
  })

  it('has each variable that the notary requires', () => {
    const env = environmentOf('notary')
    expect(env['PHI_AUDIT_OBJECTS']).toMatch(/^s3:\/\//)
    expect(openNotary({ AWS_REGION: 'us-east-1', ...env }, { lock: practice.lock, events: () => undefined })).toBeDefined()
  })

  it('serves what the build of the starter writes', () => {
    const build = readFileSync(new URL('infra/npm/starter/build.ts', root), 'utf8')
    for (const [name, { handler }] of Object.entries(starter.functions)) {
      expect(handler).toBe(`dist/${name}/index.handler`)
      expect(build).toContain(`'${name}'`)
      expect(readFileSync(new URL(`infra/npm/starter/functions/${name}.ts`, root), 'utf8')).toContain('export const handler')
    }
  })
})

/** A value of the environment with the names and ARNs of one account, and with the default of each parameter. */
function resolved(value: unknown, template: ResolvedTemplate): string {
  if (typeof value === 'string')
    return value
      .replaceAll(/\$\{param:\w+, '([^']*)'\}/g, '$1')
      .replaceAll('${sls:stage}', 'dev')
      .replaceAll(/\$\{(\w+)\.Arn\}/g, (_, id: string) => template.arnOf(id))
  const { Ref, 'Fn::GetAtt': attribute, 'Fn::Sub': sub, 'Fn::If': choice } = value as Record<string, unknown>
  if (typeof Ref === 'string') return template.nameOf(Ref)
  if (typeof attribute === 'string') return template.arnOf(attribute.split('.')[0] ?? '')
  if (Array.isArray(choice)) return resolved(choice[1], template)
  const [text, own = {}] = (Array.isArray(sub) ? sub : [sub]) as [string, Record<string, unknown>?]
  const filled = Object.entries(own).reduce((all, [name, of]) => all.replaceAll(`\${${name}}`, resolved(of, template)), text)
  return resolved(filled, template).replaceAll('${AWS::AccountId}', '123456789012')
}
