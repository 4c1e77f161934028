/** Schema and lock disagree, or the schema needs a part that this deployment does not have. Nothing starts. */
export class SchemaRefused extends Error {
  override readonly name = 'SchemaRefused'
}
