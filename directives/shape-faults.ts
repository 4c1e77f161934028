/** What a field can be that has no class, and what to write instead. */
export const SHAPE_FAULTS = {
  unclassified: ['The field is not classified.', '@phi(category: ...) with a grant, or @notPhi(because: "...").'],
  edgeInEmbedded: ['An embedded type holds an edge.', 'the edge on the record itself; embedded types hold values.'],
  phiShape: ['A @phi value is neither a scalar nor a composite.', 'a scalar, an enum, or an object type that is no record.'],
  connectionOfOthers: ['A connection of a record leads to something that is no record.', '@record on the type of its nodes.'],
  connectionWithoutPhi: [
    'A connection edge has no @phi: how many records there are is information.',
    '@phi(category: ...) and at least one @minimumNecessary.',
  ],
  connectionNonNull: ['A connection edge is non-null: its refusal would take the record along.', 'the nullable type.'],
  listOfRecords: [
    'A list of records is neither an edge to one record nor a connection.',
    'a connection (edges, pageInfo) with @phi and a grant.',
  ],
  toOneMarked: [
    'An edge to one record carries @phi or @notPhi.',
    'no directive: it is decided against the record that it leads to.',
  ],
  toOneNonNull: ['An edge to one record is non-null: its refusal would take the record along.', 'the nullable type.'],
  nodeNonNull: ['A node is non-null: its refusal would take the page along.', 'the nullable type.'],
  plumbingMarked: ['@phi stands on connection plumbing.', '@phi on the edge that returns the connection.'],
  rootMarked: ['@phi stands on a root.', '@phi on the fields of the record that the root returns.'],
  rootNonNull: ['A root that returns objects is non-null: its refusal would take the answer along.', 'the nullable type.'],
  rootBareValue: [
    'A root returns a bare value, which no grant decides.',
    'a record that holds the value, or @notPhi(because: "...").',
  ],
  phiOutside: [
    '@phi stands on a type that is no part of a record.',
    '@record on the type, or a field of a record that returns it.',
  ],
  undecidedBelow: [
    'It leads to a type whose fields would not be decided here.',
    'a record, a connection of records, or a type whose fields all say @notPhi.',
  ],
  embeddedList: [
    'A list of an embedded type: its leaves would have no path of their own.',
    '@phi on the list, sealed as one value, and no directives inside.',
  ],
  embeddedTwice: ['The embedded type already belongs to another place.', 'a type of its own: each leaf has one path.'],
} as const satisfies Readonly<Record<string, readonly [problem: string, instead: string]>>
