// The types of the API's answers and the hub's notifications.

export interface UserRef {
  id: string;
  displayName: string | null;
  avatarUrl: string | null;
}

export interface Item {
  id: string;
  listId: string;
  name: string;
  quantity: number;
  unit: string | null;
  notes: string | null;
  isPurchased: boolean;
  purchasedBy: UserRef | null;
  purchasedAt: string | null;
  createdBy: UserRef;
  updatedBy: UserRef | null;
  position: number;
  /** Added here and not confirmed yet. */
  isPending?: boolean;
}

export interface List {
  id: string;
  name: string;
  description: string | null;
  permission: "Owner" | "Editor" | "Viewer";
  collaborators: (UserRef & { permission: string })[];
}

export interface ListEvent {
  eventType: string;
  listId: string;
  timestamp: string;
}

export interface Handlers {
  ItemAdded(event: ListEvent & { item: Item }): void;
  ItemUpdated(event: ListEvent & { item: Item; changedFields: string[] }): void;
  ItemDeleted(event: ListEvent & { itemId: string; deletedBy: UserRef | null }): void;
  ItemPurchasedStatusChanged(
    event: ListEvent & { itemId: string; isPurchased: boolean; purchasedBy: UserRef | null; purchasedAt: string | null },
  ): void;
  ListUpdated(event: ListEvent & { changes: Partial<List>; changedFields: string[]; updatedBy: UserRef | null }): void;
  CollaboratorAdded(event: ListEvent & { collaborator: UserRef & { permission: string } }): void;
  CollaboratorPermissionChanged(event: ListEvent & { userId: string; permission: List["permission"] }): void;
  CollaboratorRemoved(event: ListEvent & { userId: string; displayName: string | null }): void;
  UserJoined(event: ListEvent & { user: UserRef }): void;
  UserLeft(event: ListEvent & { userId: string; displayName: string | null }): void;
  PresenceUpdate(event: ListEvent & { activeUsers: UserRef[] }): void;
}
