"""What margin is: instruments, tiers, pools, liquidation prices, accounts, venues."""
