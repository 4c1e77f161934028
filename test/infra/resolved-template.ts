import { readFileSync } from 'node:fs'
import { z } from 'zod'
import { readFragment } from '../../infra/local/tables.ts'

// The template with names and ARNs of one account in place of its references, so that policies can be evaluated.

export const ACCOUNT = '123456789012'
export const REGION = 'us-east-1'
const STAGE = 'prod'

const resource = z.object({
  Type: z.string(),
  Condition: z.string().optional(),
  Properties: z.record(z.string(), z.unknown()).default({}),
})
const template = z.object({
  Resources: z.record(z.string(), resource),
  Conditions: z.record(z.string(), z.unknown()).default({}),
})
type Resource = z.infer<typeof resource>

const FRAGMENTS = [
  'functions',
  'keys',
  'record-scrub',
  'audit-objects',
  'audit-tables',
  'audit-api',
  'siem',
  'alarms',
  'tables',
] as const

/** The template that CI packages, or the fragments of it. */
function templateOf(packaged: string): z.infer<typeof template> {
  if (packaged !== '') return template.parse(JSON.parse(readFileSync(packaged, 'utf8')))
  const parts = FRAGMENTS.map((name) => template.parse(readFragment(new URL(`../../infra/${name}.yml`, import.meta.url))))
  return {
    Resources: Object.assign({}, ...parts.map(({ Resources }) => Resources)) as Record<string, Resource>,
    Conditions: Object.assign({}, ...parts.map(({ Conditions }) => Conditions)) as Record<string, unknown>,
  }
}

/** The resources of a deployment, resolved. */
export class ResolvedTemplate {
  readonly #template: z.infer<typeof template>
  readonly #parameters: Readonly<Record<string, string>>
  readonly #stage: string

  /**
   * @param packaged the file of the packaged template; empty for the fragments. CI packages one and names it in `PHI_PACKAGED`
   * @param parameters those of the deployment. A packaged template has its own
   */
  constructor(packaged = process.env['PHI_PACKAGED'] ?? '', parameters: Readonly<Record<string, string>> = {}) {
    this.#template = templateOf(packaged)
    this.#parameters = parameters
    // a packaged template has the stage that it was packaged for
    const name = this.#template.Resources['AuditTable']?.Properties['TableName']
    this.#stage = /^phi-(.+)-audit$/.exec(String(name))?.[1] ?? STAGE
    if (this.#stage.includes('$')) this.#stage = STAGE
  }

  get ids(): readonly string[] {
    return Object.keys(this.#template.Resources)
  }

  typeOf(id: string): string {
    return this.#resource(id).Type
  }

  /** The properties of a resource, without references. */
  propertiesOf(id: string): Record<string, unknown> {
    return this.#resolve(this.#resource(id).Properties) as Record<string, unknown>
  }

  /** The policies that are attached to a role and whose condition holds. */
  policiesOf(role: string): { readonly name: string; readonly policy: unknown }[] {
    return this.ids.flatMap((id) => {
      const { Type, Condition, Properties } = this.#resource(id)
      if (Type !== 'AWS::IAM::ManagedPolicy' || !JSON.stringify(Properties['Roles']).includes(`{"Ref":"${role}"}`)) return []
      if (Condition !== undefined && !this.#holds(Condition)) return []
      return [{ name: id, policy: this.propertiesOf(id)['PolicyDocument'] }]
    })
  }

  arnOf(id: string, attribute = 'Arn'): string {
    const { Type, Properties } = this.#resource(id)
    const name = this.nameOf(id)
    switch (Type) {
      case 'AWS::DynamoDB::Table':
        return `arn:aws:dynamodb:${REGION}:${ACCOUNT}:table/${name}${attribute === 'StreamArn' ? '/stream/2026-01-01T00:00:00.000' : ''}`
      case 'AWS::S3::Bucket':
        return `arn:aws:s3:::${name}`
      case 'AWS::KMS::Key':
        return `arn:aws:kms:${REGION}:${ACCOUNT}:key/${id}`
      case 'AWS::IAM::Role':
        return `arn:aws:iam::${ACCOUNT}:role/${id}`
      case 'AWS::Logs::LogGroup':
        return `arn:aws:logs:${REGION}:${ACCOUNT}:log-group:${name}:*`
      default:
        throw new TypeError(`no ARN of ${id} (${Type}, ${Object.keys(Properties).join()})`)
    }
  }

  /** What `Ref` gives. */
  nameOf(id: string): string {
    const properties = this.#resource(id).Properties
    const named = ['TableName', 'BucketName', 'LogGroupName', 'Name'].flatMap((key) => (key in properties ? [properties[key]] : []))
    const database = (properties['DatabaseInput'] as { Name?: unknown } | undefined)?.Name
    return String(this.#resolve(named[0] ?? database ?? id))
  }

  #resource(id: string): Resource {
    const found = this.#template.Resources[id]
    if (found === undefined) throw new TypeError(`no resource ${id}`)
    return found
  }

  #holds(condition: string): boolean {
    return this.#resolve(this.#template.Conditions[condition]) === true
  }

  #resolve(value: unknown): unknown {
    if (typeof value === 'string') return this.#variables(value)
    if (Array.isArray(value)) return value.map((item) => this.#resolve(item))
    if (typeof value !== 'object' || value === null) return value
    const [[name, argument] = ['', undefined], ...others] = Object.entries(value)
    if (others.length === 0) {
      const resolved = this.#intrinsic(name, argument)
      if (resolved !== undefined) return resolved
    }
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, this.#resolve(item)]))
  }

  #intrinsic(name: string, argument: unknown): unknown {
    const list = Array.isArray(argument) ? (argument as unknown[]) : []
    switch (name) {
      case 'Ref':
        return this.#reference(String(argument))
      case 'Fn::GetAtt': {
        const [id = '', attribute] = Array.isArray(argument) ? (argument as string[]) : String(argument).split('.')
        return this.arnOf(id, attribute)
      }
      case 'Fn::Sub': {
        const [text = argument, names = {}] = list
        const own = this.#resolve(names) as Record<string, unknown>
        return this.#variables(String(text)).replaceAll(/\$\{(!?)([\w:.]+)\}/g, (_, literal: string, place: string) => {
          if (literal !== '') return `\${${place}}`
          return String(own[place] ?? (/\.\w+$/.test(place) ? this.#intrinsic('Fn::GetAtt', place) : this.#reference(place)))
        })
      }
      case 'Fn::If':
        return this.#resolve(this.#holds(String(list[0])) ? list[1] : list[2])
      case 'Fn::Equals':
        return this.#resolve(list[0]) === this.#resolve(list[1])
      case 'Fn::Not':
        return this.#resolve(list[0]) !== true
      case 'Fn::Split':
        return String(this.#resolve(list[1])).split(String(list[0]))
      default:
        return undefined
    }
  }

  #reference(name: string): string {
    const pseudo = { 'AWS::AccountId': ACCOUNT, 'AWS::Region': REGION, 'AWS::Partition': 'aws', 'AWS::URLSuffix': 'amazonaws.com' }
    return name in pseudo ? pseudo[name as keyof typeof pseudo] : this.nameOf(name)
  }

  /** The variables of the framework, which a packaged template has no more. */
  #variables(text: string): string {
    const value = (_: string, name: string, otherwise: string): string => this.#parameters[name] ?? otherwise
    return text.replaceAll('${sls:stage}', this.#stage).replaceAll(/\$\{param:(\w+), '([^']*)'\}/g, value)
  }
}
