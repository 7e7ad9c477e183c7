CREATE TABLE `auth_sessions` (
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`user_id` integer NOT NULL,
	`family_hash` text NOT NULL,
	`token_hash` text NOT NULL,
	`created_at` integer NOT NULL,
	`used_at` integer NOT NULL,
	`expires_at` integer NOT NULL,
	`user_agent` text NOT NULL,
	FOREIGN KEY (`user_id`) REFERENCES `users`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE UNIQUE INDEX `auth_sessions_family_hash_unique` ON `auth_sessions` (`family_hash`);--> statement-breakpoint
CREATE INDEX `auth_sessions_user` ON `auth_sessions` (`user_id`);--> statement-breakpoint
CREATE INDEX `auth_sessions_age` ON `auth_sessions` (`expires_at`);--> statement-breakpoint
CREATE TABLE `users` (
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`name` text,
	`name_key` text,
	`password_hash` text,
	`role` text NOT NULL,
	`created_at` integer NOT NULL,
	`closed_at` integer,
	`erased_at` integer
);
--> statement-breakpoint
CREATE UNIQUE INDEX `users_name_key_unique` ON `users` (`name_key`);--> statement-breakpoint
CREATE INDEX `users_leaving` ON `users` (`closed_at`) WHERE "users"."closed_at" IS NOT NULL AND "users"."erased_at" IS NULL;--> statement-breakpoint
ALTER TABLE `api_keys` ADD `scopes` text DEFAULT '["posts","audio"]' NOT NULL;--> statement-breakpoint
-- Where nobody had to sign in, people stated small numbers of their own: whoever registers first must
-- not inherit what was said under one of them.
INSERT INTO `sqlite_sequence` (`name`, `seq`) VALUES ('users', 1000000);
